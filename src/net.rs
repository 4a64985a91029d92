//! The one factory of sockets, name look-ups and HTTP clients. Binding to a device, a proxy or a new network is a change
//! here and nowhere else; clippy refuses the other ways (clippy.toml).
