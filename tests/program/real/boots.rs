//! A computer that boots from an ISO image of which nothing is there yet.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;
use std::sync::mpsc::channel;

use aws_lc_rs::digest::{SHA256, digest};
use tempfile::TempDir;

use super::mounted::{Mounted, program};
use super::noise::noise;
use crate::run::PATIENCE;
use crate::seeds::{Seeds, Torrent};

const MIB: usize = 1024 * 1024;

/// Hashes a file of the image, so that what has come through is seen to be right, and says so.
const MENU: &str = "
serial --unit=0 --speed=115200
terminal_input serial
terminal_output serial
set timeout=0
set pager=0
echo the image has booted
sha256sum /payload.bin
echo that is all
halt
";

/// An image of 300 MiB that boots to a line on the serial console, and the hash that it says.
fn image() -> (Vec<u8>, String) {
    let folder = TempDir::new().expect("a temporary folder");
    let (root, image) = (folder.path().join("root"), folder.path().join("boots.iso"));
    std::fs::create_dir_all(root.join("boot/grub")).expect("creates");
    std::fs::write(root.join("boot/grub/grub.cfg"), MENU).expect("writes");
    let payload = noise(1, 2 * MIB);
    std::fs::write(root.join("payload.bin"), &payload).expect("writes");
    for number in 0..6 {
        std::fs::write(root.join(format!("other-{number}.bin")), noise(100 + number, 50 * MIB))
            .expect("writes");
    }
    program("xorriso", "xorriso");
    program("mformat", "mtools");
    let out = program("grub-mkrescue", "grub-common grub-pc-bin")
        .arg("--output")
        .arg(&image)
        .arg(&root)
        .output()
        .expect("grub-mkrescue runs");
    assert!(
        out.status.success(),
        "grub-mkrescue (it needs grub-pc-bin): {}",
        String::from_utf8_lossy(&out.stderr)
    );
    let hash = digest(&SHA256, &payload).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    (std::fs::read(&image).expect("made before"), hash)
}

#[test]
fn a_virtual_machine_boots_from_an_image_that_is_not_there_yet() {
    let (image, hash) = image();
    let torrent = Torrent::of_folder("System", &[("boots.iso", &image), ("read me.txt", b"hello\n")]);
    drop(image);
    let seeds = Seeds::of(&torrent, 3);
    let mounted = Mounted::of(&[&torrent], &seeds.flags());
    let mut machine = program("qemu-system-x86_64", "qemu-system-x86")
        .args(["-nodefaults", "-no-user-config", "-machine", "pc,accel=tcg", "-m", "256", "-display", "none"])
        .args(["-vga", "none", "-monitor", "none", "-serial", "stdio", "-no-reboot", "-boot", "d", "-cdrom"])
        .arg(mounted.path("System/boots.iso"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("qemu runs");
    let console = machine.stdout.take().expect("a pipe");
    let (send, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(console).split(b'\n').map_while(Result::ok) {
            if send.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                break;
            }
        }
    });
    let mut said = String::new();
    while !said.contains("that is all") {
        match lines.recv_timeout(PATIENCE) {
            Ok(line) => said.push_str(&line),
            Err(_) => {
                let _ = machine.kill();
                let mut errors = String::new();
                let _ = machine.stderr.take().map(|mut pipe| pipe.read_to_string(&mut errors));
                panic!("the console says no more: {said:?}; qemu: {errors}");
            }
        }
    }
    let _ = machine.kill();
    let _ = machine.wait();
    assert!(said.contains("the image has booted"), "{said}");
    assert!(said.contains(&hash), "another hash than {hash}: {said}");
    let length = std::fs::metadata(mounted.path("System/boots.iso")).expect("it is there").len();
    let (there, percent) =
        (mounted.bytes_there("System/boots.iso"), mounted.told("System/boots.iso", "percent"));
    println!(
        "booted from {:.1} MB of an image of {:.1} MB ({percent} %)",
        there as f64 / 1e6,
        length as f64 / 1e6
    );
    assert!(there < length / 4, "{there} of {length} bytes to boot");
    mounted.ends_well();
}
