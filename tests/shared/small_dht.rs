//! What a node of the DHT (BEP 5) answers: as much of it as a swarm on loopback needs.

use std::net::SocketAddr;

use peerflix::source::parse_bencode;

/// The answer of the node of this id, which names these nodes (compact) and, if asked for peers, these. `None`: none is due.
pub fn answer(packet: &[u8], id: &[u8; 20], nodes: &[u8], peers: &[SocketAddr]) -> Option<Vec<u8>> {
    let query = parse_bencode(packet).ok()?.0.dict()?;
    let asked = query.value("q")?.bytes()?;
    let mut answer = [b"d1:rd2:id20:".as_slice(), id].concat();
    if asked == b"find_node" || asked == b"get_peers" {
        answer.extend_from_slice(format!("5:nodes{}:", nodes.len()).as_bytes());
        answer.extend_from_slice(nodes);
    }
    if asked == b"get_peers" {
        answer.extend_from_slice(b"5:token4:abcd");
        if !peers.is_empty() {
            answer.extend_from_slice(b"6:valuesl");
            for peer in peers {
                answer.extend_from_slice(b"6:\x7f\0\0\x01");
                answer.extend_from_slice(&peer.port().to_be_bytes());
            }
            answer.push(b'e');
        }
    }
    answer.extend_from_slice(b"e1:t");
    answer.extend_from_slice(query.raw("t")?);
    answer.extend_from_slice(b"1:y1:re");
    Some(answer)
}
