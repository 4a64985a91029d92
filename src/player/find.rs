//! Where players are: on PATH, in macOS's applications, in Windows' registry and programs, as a Flatpak, as a snap.

use std::path::{Path, PathBuf};

use super::Choice;

/// How a system keeps its programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    /// Linux and the other free ones.
    Unix,
    MacOs,
    Windows,
}

/// Where to look. A value, so that a test can make one of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    pub system: System,
    /// Folders with programs: PATH, and after it those that a desktop's PATH may lack.
    pub path: Vec<PathBuf>,
    /// macOS: folders with application bundles.
    pub applications: Vec<PathBuf>,
    /// Windows: folders with a folder for each program.
    pub program_files: Vec<PathBuf>,
    /// Windows: where a player says in the registry that it is.
    pub registered: Vec<(Choice, PathBuf)>,
    /// Folders in which Flatpak puts a program for each application.
    pub flatpaks: Vec<PathBuf>,
}

/// A program, and the arguments that come before its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub program: PathBuf,
    pub before: Vec<&'static str>,
}

impl Environment {
    /// A system with these folders on its PATH, and nothing else.
    pub fn of<P: Into<PathBuf>>(system: System, path: impl IntoIterator<Item = P>) -> Self {
        Environment {
            system,
            path: path.into_iter().map(Into::into).collect(),
            applications: Vec::new(),
            program_files: Vec::new(),
            registered: Vec::new(),
            flatpaks: Vec::new(),
        }
    }

    /// This computer.
    pub fn here() -> Self {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let home = std::env::home_dir();
        let at_home = |below: &str| home.as_ref().map(|home| home.join(below));
        let path =
            variable("PATH").map(|path| std::env::split_paths(&path).collect::<Vec<_>>()).unwrap_or_default();
        if cfg!(windows) {
            let names = ["ProgramFiles", "ProgramW6432", "ProgramFiles(x86)"];
            let program_files = names.into_iter().filter_map(variable).map(PathBuf::from).collect();
            Environment { program_files, registered: registered(), ..Self::of(System::Windows, path) }
        } else if cfg!(target_os = "macos") {
            let path = path.into_iter().chain([
                "/opt/homebrew/bin".into(),
                "/usr/local/bin".into(),
                "/opt/local/bin".into(),
            ]);
            let applications =
                [Some("/Applications".into()), at_home("Applications")].into_iter().flatten().collect();
            Environment { applications, ..Self::of(System::MacOs, path) }
        } else {
            let path = path.into_iter().chain(["/snap/bin".into(), "/var/lib/snapd/snap/bin".into()]);
            let data = variable("XDG_DATA_HOME").map(PathBuf::from).or_else(|| at_home(".local/share"));
            let flatpaks = [
                Some("/var/lib/flatpak/exports/bin".into()),
                data.map(|data| data.join("flatpak/exports/bin")),
            ];
            Environment { flatpaks: flatpaks.into_iter().flatten().collect(), ..Self::of(System::Unix, path) }
        }
    }
}

/// The players that are there, of those that we know; the best for streaming first.
pub fn installed(environment: &Environment) -> Vec<Choice> {
    Choice::KNOWN.into_iter().filter(|choice| find(choice, environment).is_some()).collect()
}

/// A player that we know.
pub(super) fn find(choice: &Choice, environment: &Environment) -> Option<Found> {
    let kept = Kept::of(choice)?;
    let plain = |program| Found { program, before: Vec::new() };
    if let Some(program) = find_program(kept.program, environment) {
        return Some(plain(program));
    }
    let told = environment
        .registered
        .iter()
        .filter(|(player, _)| player == choice)
        .map(|(_, program)| program.clone());
    let bundles = environment.applications.iter().map(|folder| folder.join(kept.bundle));
    let programs = environment.program_files.iter().map(|folder| folder.join(kept.folder));
    if let Some(program) = told.chain(bundles).chain(programs).find(|program| is_program(program)) {
        return Some(plain(program));
    }
    let has_flatpak = environment.flatpaks.iter().any(|folder| is_program(&folder.join(kept.flatpak)));
    let flatpak = find_program("flatpak", environment).filter(|_| has_flatpak)?;
    // Without this, a Flatpak lives on when the process that we started is gone.
    Some(Found { program: flatpak, before: vec!["run", "--die-with-parent", kept.flatpak] })
}

/// A program by its name on PATH, or by its path if it has more than a name.
pub(super) fn find_program(name: &str, environment: &Environment) -> Option<PathBuf> {
    let endings: &[&str] = match environment.system {
        System::Windows => &["", ".exe", ".com", ".cmd", ".bat"],
        System::Unix | System::MacOs => &[""],
    };
    let named = |place: &Path| {
        let ended = endings.iter().map(|ending| {
            let mut path = place.as_os_str().to_owned();
            path.push(ending);
            PathBuf::from(path)
        });
        ended.into_iter().find(|path| is_program(path))
    };
    if name.contains('/') || environment.system == System::Windows && name.contains('\\') {
        return named(Path::new(name));
    }
    environment.path.iter().find_map(|folder| named(&folder.join(name)))
}

/// Where one player is kept on each system.
struct Kept {
    program: &'static str,
    /// Below a folder of application bundles.
    bundle: &'static str,
    /// Below a folder of programs.
    folder: &'static str,
    /// Empty if there is none.
    flatpak: &'static str,
}

impl Kept {
    fn of(choice: &Choice) -> Option<Kept> {
        let (bundle, folder, flatpak) = match choice {
            Choice::Vlc => ("VLC.app/Contents/MacOS/VLC", "VideoLAN/VLC/vlc.exe", "org.videolan.VLC"),
            Choice::Mpv => ("mpv.app/Contents/MacOS/mpv", "mpv/mpv.exe", "io.mpv.Mpv"),
            Choice::Mplayer => {
                ("MPlayer.app/Contents/MacOS/mplayer", "SMPlayer/mplayer/mplayer.exe", "hu.mplayerhq.MPlayer")
            }
            Choice::Smplayer => {
                ("SMPlayer.app/Contents/MacOS/smplayer", "SMPlayer/smplayer.exe", "info.smplayer.SMPlayer")
            }
            Choice::Mpchc => ("", "MPC-HC/mpc-hc64.exe", ""),
            Choice::Potplayer => ("", "DAUM/PotPlayer/PotPlayerMini64.exe", ""),
            Choice::Command(_) | Choice::Open => return None,
        };
        Some(Kept { program: choice.program(), bundle, folder, flatpak })
    }
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    path.is_file()
}

#[cfg(windows)]
fn registered() -> Vec<(Choice, PathBuf)> {
    use winreg::RegKey;
    use winreg::enums::{HKEY_CURRENT_USER, HKEY_LOCAL_MACHINE};
    let machine = RegKey::predef(HKEY_LOCAL_MACHINE);
    let user = RegKey::predef(HKEY_CURRENT_USER);
    let value = |root: &RegKey, key: &str, name: &str| {
        root.open_subkey(key).ok()?.get_value::<String, _>(name).ok().map(PathBuf::from)
    };
    let mut found = Vec::new();
    for key in [r"Software\VideoLAN\VLC", r"Software\WOW6432Node\VideoLAN\VLC"] {
        found.extend(value(&machine, key, "InstallDir").map(|folder| (Choice::Vlc, folder.join("vlc.exe"))));
    }
    // What the original peerflix looked at.
    for (choice, key, name) in [
        (Choice::Mpchc, r"Software\MPC-HC\MPC-HC", "ExePath"),
        (Choice::Potplayer, r"Software\DAUM\PotPlayer64", "ProgramPath"),
        (Choice::Potplayer, r"Software\DAUM\PotPlayer", "ProgramPath"),
    ] {
        found.extend(value(&user, key, name).map(|program| (choice, program)));
    }
    // Any program may say where it is under its own name; the value without a name has the path.
    for choice in Choice::KNOWN {
        let key = format!(r"Software\Microsoft\Windows\CurrentVersion\App Paths\{}.exe", choice.program());
        for root in [&machine, &user] {
            found.extend(value(root, &key, "").map(|program| (choice.clone(), program)));
        }
    }
    found
}

#[cfg(not(windows))]
fn registered() -> Vec<(Choice, PathBuf)> {
    Vec::new()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Puts a program there that does nothing: nobody starts it.
    pub fn put(folder: &Path, name: &str) -> PathBuf {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, "").expect("a file");
        #[cfg(unix)]
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .expect("permissions");
        path
    }

    fn plain(program: PathBuf) -> Option<Found> {
        Some(Found { program, before: Vec::new() })
    }

    #[test]
    fn the_first_on_the_path_is_taken() {
        let folder = tempfile::tempdir().expect("a folder");
        let (first, second) = (folder.path().join("first"), folder.path().join("second"));
        put(&second, "vlc");
        let environment = Environment::of(System::Unix, [&first, &second]);
        assert_eq!(find(&Choice::Vlc, &environment), plain(second.join("vlc")));
        put(&first, "vlc");
        assert_eq!(find(&Choice::Vlc, &environment), plain(first.join("vlc")));
        assert_eq!(find(&Choice::Mpv, &environment), None);
        assert_eq!(find(&Choice::Open, &environment), None);
    }

    #[cfg(unix)]
    #[test]
    fn what_cannot_be_run_is_no_program() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("vlc"), "").expect("a file");
        std::fs::create_dir(folder.path().join("mpv")).expect("a folder");
        assert_eq!(installed(&Environment::of(System::Unix, [folder.path()])), []);
    }

    #[test]
    fn macos_has_bundles() {
        let folder = tempfile::tempdir().expect("a folder");
        let program = put(folder.path(), "VLC.app/Contents/MacOS/VLC");
        let applications = vec![folder.path().join("nothing"), folder.path().to_owned()];
        let environment = Environment { applications, ..Environment::of(System::MacOs, [""; 0]) };
        assert_eq!(find(&Choice::Vlc, &environment), plain(program));
        assert_eq!(installed(&environment), [Choice::Vlc]);
    }

    #[test]
    fn windows_has_a_registry_and_folders_of_programs() {
        let folder = tempfile::tempdir().expect("a folder");
        let program = put(folder.path(), "mpv/mpv.exe");
        let registered = put(folder.path(), "elsewhere/vlc.exe");
        let environment = Environment {
            program_files: vec![folder.path().to_owned()],
            registered: vec![
                (Choice::Vlc, folder.path().join("gone/vlc.exe")),
                (Choice::Vlc, registered.clone()),
            ],
            ..Environment::of(System::Windows, [folder.path().join("bin")])
        };
        assert_eq!(find(&Choice::Mpv, &environment), plain(program));
        assert_eq!(find(&Choice::Vlc, &environment), plain(registered));
        assert_eq!(find(&Choice::Mpchc, &environment), None);
        let potplayer = put(folder.path(), "DAUM/PotPlayer/PotPlayerMini64.exe");
        assert_eq!(find(&Choice::Potplayer, &environment), plain(potplayer));
        let on_path = put(&folder.path().join("bin"), "mpv.exe");
        assert_eq!(find(&Choice::Mpv, &environment), plain(on_path));
    }

    #[test]
    fn a_flatpak_is_run_by_flatpak() {
        let folder = tempfile::tempdir().expect("a folder");
        let exports = folder.path().join("exports");
        put(&exports, "io.mpv.Mpv");
        let bin = folder.path().join("bin");
        let environment = Environment { flatpaks: vec![exports], ..Environment::of(System::Unix, [&bin]) };
        assert_eq!(find(&Choice::Mpv, &environment), None, "without flatpak itself, nothing runs it");
        let flatpak = put(&bin, "flatpak");
        let found = find(&Choice::Mpv, &environment).expect("it is there");
        assert_eq!(found, Found { program: flatpak, before: vec!["run", "--die-with-parent", "io.mpv.Mpv"] });
        assert_eq!(find(&Choice::Vlc, &environment), None);
    }

    #[test]
    fn this_computer_can_be_looked_at() {
        let _ = installed(&Environment::here());
    }
}
