//! Saving a snapshot: streamed to a file beside its final name, verified, and only then given that name.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::client::Etcd;
use super::errors::call;
use crate::model::Pod;
use crate::runbook::{SavedSnapshot, Trouble, TroubleKind};

/// How long the stream may be silent.
const SILENCE: Duration = Duration::from_secs(30);

/// etcd appends the SHA-256 of the database to the stream (server/etcdserver/api/v3rpc/maintenance.go).
const TRAILER: usize = 32;

impl Etcd {
    /// Saves the database of a pod's member. `progress` hears of bytes written and the bytes expected.
    pub(in crate::cluster) async fn save_snapshot(
        &self,
        pod: &Pod,
        expected: Option<u64>,
        file: &Path,
        progress: &mut dyn FnMut(u64, Option<u64>),
    ) -> Result<SavedSnapshot, Trouble> {
        let access = self.known(pod);
        let access =
            access.ok_or_else(|| Trouble::new(TroubleKind::NotYet, format!("{} does not answer", pod.name)))?;
        let mut client = access.streaming()?;
        let mut half = HalfFile::create(file, expected)?;
        let mut stream = call("begin the snapshot", SILENCE, client.snapshot()).await?;
        while let Some(message) = call("receive the snapshot", SILENCE, stream.message()).await? {
            half.write(message.blob())?;
            progress(half.written, expected);
        }
        let (bytes, sha256) = half.finish()?;
        Ok(SavedSnapshot { file: file.to_owned(), bytes, sha256, pod: pod.name.clone() })
    }
}

/// A file that is not whole yet. Dropped before it is finished, it is deleted.
struct HalfFile {
    file: tempfile::NamedTempFile,
    name: PathBuf,
    written: u64,
    digest: Sha256,
    /// The last bytes seen, which may be the trailer and are not part of what it covers.
    tail: Vec<u8>,
}

impl HalfFile {
    fn create(name: &Path, expected: Option<u64>) -> Result<Self, Trouble> {
        let directory = match name.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let refused = |what: String| Trouble::new(TroubleKind::Refused, what).advise("name another file");
        if name.exists() {
            return Err(refused(format!("{} exists already and is not overwritten", name.display())));
        }
        let space = rustix::fs::statvfs(directory)
            .map_err(|error| refused(format!("cannot look into {}: {error}", directory.display())))?;
        let free = space.f_bavail.saturating_mul(space.f_frsize);
        if let Some(expected) = expected.filter(|expected| *expected > free) {
            return Err(refused(format!(
                "{} has {free} bytes free, and the snapshot takes about {expected}",
                directory.display()
            )));
        }
        // Made with mode 0600: a database holds secrets.
        let file = tempfile::Builder::new()
            .prefix(".etcd-scale-")
            .suffix(".part")
            .tempfile_in(directory)
            .map_err(|error| refused(format!("cannot write in {}: {error}", directory.display())))?;
        Ok(Self { file, name: name.to_owned(), written: 0, digest: Sha256::new(), tail: Vec::new() })
    }

    fn write(&mut self, blob: &[u8]) -> Result<(), Trouble> {
        self.file.write_all(blob).map_err(|error| self.failed(&error))?;
        self.written += blob.len() as u64;
        self.tail.extend_from_slice(blob);
        let covered = self.tail.len().saturating_sub(TRAILER);
        self.digest.update(&self.tail[..covered]);
        self.tail.drain(..covered);
        Ok(())
    }

    /// Verifies the trailer, makes the file safe on disk and gives it its name.
    fn finish(mut self) -> Result<(u64, String), Trouble> {
        let digest = std::mem::take(&mut self.digest).finalize();
        // A database is whole pages of at least 512 bytes, so what is left over is the trailer (client/v3/snapshot).
        if self.written % 512 != TRAILER as u64 || digest.as_slice() != self.tail {
            return Err(Trouble::new(
                TroubleKind::Lost,
                format!("the snapshot's checksum does not fit its {} bytes; it was discarded", self.written),
            ));
        }
        self.file.as_file().sync_all().map_err(|error| self.failed(&error))?;
        let sha256 = digest.iter().fold(String::with_capacity(64), |mut text, byte| {
            use std::fmt::Write as _;
            let _ = write!(text, "{byte:02x}");
            text
        });
        let Self { file, name, written, .. } = self;
        file.persist_noclobber(&name).map_err(|error| {
            Trouble::new(TroubleKind::Refused, format!("cannot name the snapshot {}: {}", name.display(), error.error))
        })?;
        if let Some(parent) = name.parent().filter(|parent| !parent.as_os_str().is_empty())
            && let Ok(directory) = std::fs::File::open(parent)
        {
            // The name is safe once its directory is.
            if let Err(error) = directory.sync_all() {
                tracing::debug!(%error, "the directory was not synced");
            }
        }
        Ok((written, sha256))
    }

    fn failed(&self, error: &std::io::Error) -> Trouble {
        Trouble::new(TroubleKind::Refused, format!("cannot write {}: {error}", self.name.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn half(directory: &Path) -> HalfFile {
        HalfFile::create(&directory.join("db"), None).unwrap()
    }

    #[test]
    fn a_right_trailer_makes_a_file_of_mode_0600() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let data = vec![7_u8; 1024];
        let digest = Sha256::digest(&data);
        let mut file = half(directory.path());
        // In pieces that cut through the trailer.
        for piece in [&data[..1000], &data[1000..], &digest[..5], &digest[5..]] {
            file.write(piece).unwrap();
        }
        let (bytes, _) = file.finish().unwrap();
        assert_eq!(bytes, 1056);
        let saved = directory.path().join("db");
        assert_eq!(std::fs::metadata(&saved).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(HalfFile::create(&saved, None).is_err());
    }

    #[test]
    fn a_cut_stream_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let mut file = half(directory.path());
        file.write(&[7; 1024]).unwrap();
        assert!(file.finish().is_err());
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn too_little_space_is_refused_first() {
        let directory = tempfile::tempdir().unwrap();
        assert!(HalfFile::create(&directory.path().join("db"), Some(u64::MAX)).is_err());
    }
}
