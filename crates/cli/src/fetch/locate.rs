//! Finds the file of a program that prints a secret.

use std::{
    env,
    ffi::OsStr,
    fs,
    path::{self, Path, PathBuf},
};

use super::FetchError;

/// The absolute path of a program. A name without a slash is looked up in the folders of `search_path`. Relative ones do not
/// count: what they mean depends on the current folder, which may belong to somebody else.
pub(super) fn find(name: &str, search_path: Option<&OsStr>) -> Result<PathBuf, FetchError> {
    if name.contains('/') {
        let program = PathBuf::from(name);
        return path::absolute(&program).map_err(|source| FetchError::Spawn { program, source });
    }
    let folders = search_path.into_iter().flat_map(env::split_paths).filter(|folder| folder.is_absolute());
    let mut candidates = folders.map(|folder| folder.join(name));
    candidates.find(|file| is_executable(file)).ok_or_else(|| FetchError::NoProgram(name.to_owned()))
}

#[cfg(unix)]
fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(file).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|metadata| metadata.is_file())
}

#[cfg(test)]
mod tests {
    use std::{fs::Permissions, os::unix::fs::PermissionsExt};

    use super::*;

    #[test]
    fn a_name_is_looked_up_in_the_absolute_folders_of_the_path_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, mode: u32| {
            let file = dir.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, "").unwrap();
            fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
            file
        };
        file("not-executable/op", 0o600);
        fs::create_dir_all(dir.path().join("a-folder/op")).unwrap();
        let first = file("first/op", 0o700);
        file("second/op", 0o700);
        let only = file("second/vault", 0o700);
        let folder = |name: &str| dir.path().join(name);
        let all = ["missing", "not-executable", "a-folder", "first", "second"].map(folder);
        let all = env::join_paths(all).unwrap();
        assert_eq!(find("op", Some(&all)).unwrap(), first);
        assert_eq!(find("vault", Some(&all)).unwrap(), only);
        for none in ["other", ""] {
            assert!(matches!(find(none, Some(&all)), Err(FetchError::NoProgram(name)) if name == none));
        }
        assert!(matches!(find("op", None), Err(FetchError::NoProgram(_))));
    }

    /// The tests run in the folder of this crate, so these folders would have the program.
    #[test]
    fn relative_folders_of_the_path_do_not_count() {
        let dir = tempfile::tempdir_in(".").unwrap();
        fs::write(dir.path().join("op"), "").unwrap();
        fs::set_permissions(dir.path().join("op"), Permissions::from_mode(0o700)).unwrap();
        let relative = Path::new(dir.path().file_name().unwrap());
        assert!(is_executable(&relative.join("op")));
        for search in [relative.as_os_str(), OsStr::new("."), OsStr::new(""), OsStr::new(":")] {
            assert!(matches!(find("op", Some(search)), Err(FetchError::NoProgram(_))), "{search:?}");
        }
        let absolute = path::absolute(relative.join("op")).unwrap();
        assert_eq!(find(relative.join("op").to_str().unwrap(), None).unwrap(), absolute);
    }
}
