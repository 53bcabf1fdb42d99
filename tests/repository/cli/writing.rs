//! What is written is written whole, and is the same whoever asks from wherever.

use std::{fs, path::Path};

use super::{
    flagged,
    process::{output, output_with},
};

/// The names in a directory.
fn names(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).unwrap().map(|it| it.unwrap().file_name());
    let mut names: Vec<String> = names.map(|it| it.to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_file_takes_its_place_when_it_is_whole() {
    let dir = flagged();
    let file = dir.path().join("out.json");
    fs::write(&file, "what was there").unwrap();
    // Whoever reads the old file goes on to read that one.
    let before = fs::File::open(&file).unwrap();
    for arguments in
        ["check --format json --output out.json", "check --write-baseline --baseline out.json"]
    {
        output(dir.path(), arguments);
        assert!(fs::read_to_string(&file).unwrap().starts_with('{'), "{arguments}");
    }
    assert_eq!(std::io::read_to_string(before).unwrap(), "what was there");
    assert_eq!(names(dir.path()), ["a.yaml", "out.json"]);
}

#[cfg(unix)]
#[test]
fn a_file_keeps_its_mode_and_a_link_leads_to_it() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let dir = flagged();
    let (real, link) = (dir.path().join("real.json"), dir.path().join("link.json"));
    fs::write(&real, "").unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
    symlink("real.json", &link).unwrap();
    output(dir.path(), "check --format json --output link.json");
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(fs::read_to_string(&real).unwrap().starts_with('{'));
    assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o640);
    fs::remove_file(&real).unwrap();
    output(dir.path(), "check --format json --output link.json");
    assert!(fs::read_to_string(&real).unwrap().starts_with('{'));
    // Other names of a file show what is written, and what is no file is written to.
    let other = dir.path().join("other.json");
    fs::write(&real, "").unwrap();
    fs::hard_link(&real, &other).unwrap();
    output(dir.path(), "check --format json --output real.json");
    assert!(fs::read_to_string(&other).unwrap().starts_with('{'));
    assert_eq!(output(dir.path(), "check --output /dev/null").status.code(), Some(1));
    assert_eq!(output(dir.path(), "check --output /dev/full").status.code(), Some(2));
}

/// From within, from outside and by links, with one thread and many.
#[test]
fn every_scenario_gives_the_same_bytes() {
    let all = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata");
    for name in names(Path::new(all)) {
        let root = Path::new(all).join(&name);
        let run = |dir: &Path, threads, arguments: &str, place: &str| {
            let arguments = format!("{arguments} --root {place}");
            output_with(dir, &arguments, [("RAYON_NUM_THREADS", threads)])
        };
        let shown = root.display().to_string();
        let around = format!("../{name}");
        let ways = [
            (Path::new(env!("CARGO_MANIFEST_DIR")), "8", &shown),
            (&root, "2", &around),
            (Path::new(all), "8", &name),
        ];
        for (arguments, count) in [("check --format sarif", 3), ("show --format json", 1)] {
            let one = run(&root, "1", arguments, ".");
            assert!(!one.stdout.is_empty(), "{name}: {arguments}");
            for (dir, threads, place) in &ways[..count] {
                let way = run(dir, threads, arguments, place);
                assert_eq!(one.status, way.status, "{name}: {arguments}: {place}");
                assert!(one.stdout == way.stdout, "{name}: {arguments}: {place}");
            }
        }
    }
}
