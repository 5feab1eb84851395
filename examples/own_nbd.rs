//! A disk in any language, and the harness pointed at it: whatever serves a disk by NBD, the network block device.
//!
//! ```text
//! cargo run --example own_nbd -- 500 'test -e disk || qemu-img create -q -f qcow2 disk 64K
//!     exec qemu-nbd -t -f qcow2 --cache=writeback -k "$PWD/socket" disk'
//! ```
//!
//! The command runs in a directory of its own for each script. It makes the disk, if that is not there, and serves it
//! on the socket `socket`. It is killed (`kill -9`) where a script cuts the power, and started again: what it had not
//! flushed may be lost, and nothing else. So this passes, and with `--cache=unsafe`, which ignores flushes, it fails.
//!
//! Protocol: <https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md>, fixed newstyle, simple replies.

use std::process::ExitCode;

#[cfg(unix)]
mod disk {
    use std::io::{Error as IoError, Read, Result as IoResult, Write};
    use std::os::unix::net::UnixStream;
    use std::os::unix::process::CommandExt;
    use std::path::Path;
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    use disklayer_sqlite::error::{Error, ErrorKind, Result};
    use disklayer_sqlite::geometry::Geometry;
    use disklayer_sqlite::harness::{Powered, Subject};
    use disklayer_sqlite::request::Durability;
    use disklayer_sqlite::strike::Lost;
    use tempfile::TempDir;

    const SECTOR: u32 = 512;
    const PATIENCE: Duration = Duration::from_secs(10);

    const OPT_EXPORT_NAME: u32 = 1;
    const NO_ZEROES: u32 = 2;
    const FIXED_NEWSTYLE: u32 = 1;
    const READ: u16 = 0;
    const WRITE: u16 = 1;
    const FLUSH: u16 = 3;
    const WRITE_ZEROES: u16 = 6;
    const FUA: u16 = 1;

    /// A server, and the connection to it.
    struct Served {
        server: Child,
        stream: UnixStream,
        geometry: Geometry,
    }

    impl Drop for Served {
        fn drop(&mut self) {
            let _ = self.server.kill();
            let _ = self.server.wait();
        }
    }

    impl Served {
        fn start(command: &str, dir: &Path) -> IoResult<Self> {
            let socket = dir.join("socket");
            let _ = std::fs::remove_file(&socket);
            let mut sh = Command::new("sh");
            // A group of its own: Ctrl-C is for the harness.
            sh.arg("-c").arg(command).current_dir(dir).stdin(Stdio::null()).process_group(0);
            let mut server = sh.spawn()?;
            let since = Instant::now();
            let stream = loop {
                match UnixStream::connect(&socket) {
                    Ok(stream) => break stream,
                    Err(_) if server.try_wait()?.is_none() && since.elapsed() < PATIENCE => std::thread::yield_now(),
                    Err(e) => {
                        let _ = server.kill();
                        return Err(IoError::other(format!("no server on {}: {e}", socket.display())));
                    }
                }
            };
            let mut served = Self { server, stream, geometry: Geometry::new(1, SECTOR).map_err(IoError::other)? };
            served.geometry = Geometry::from_len(served.greet()?, SECTOR).map_err(IoError::other)?;
            Ok(served)
        }

        fn take<const N: usize>(&mut self) -> IoResult<[u8; N]> {
            let mut bytes = [0; N];
            self.stream.read_exact(&mut bytes).map(|()| bytes)
        }

        /// Agrees on the nameless export; its size in bytes.
        fn greet(&mut self) -> IoResult<u64> {
            let head: [u8; 18] = self.take()?;
            if &head[..16] != b"NBDMAGICIHAVEOPT" {
                return Err(IoError::other("it does not speak the newstyle of NBD"));
            }
            let mut answer = (FIXED_NEWSTYLE | NO_ZEROES).to_be_bytes().to_vec();
            answer.extend(b"IHAVEOPT");
            answer.extend(OPT_EXPORT_NAME.to_be_bytes());
            answer.extend(0u32.to_be_bytes());
            self.stream.write_all(&answer)?;
            let size = self.take()?;
            let _flags: [u8; 2] = self.take()?;
            Ok(u64::from_be_bytes(size))
        }

        fn ask(&mut self, kind: u16, flags: u16, at: u64, len: u32, data: &[u8], buf: &mut [u8]) -> IoResult<()> {
            let mut request = 0x2560_9513u32.to_be_bytes().to_vec();
            request.extend([flags.to_be_bytes(), kind.to_be_bytes()].concat());
            request.extend(0u64.to_be_bytes());
            request.extend(at.to_be_bytes());
            request.extend(len.to_be_bytes());
            request.extend(data);
            self.stream.write_all(&request)?;
            let reply: [u8; 16] = self.take()?;
            match u32::from_be_bytes([reply[4], reply[5], reply[6], reply[7]]) {
                0 => self.stream.read_exact(buf),
                error => Err(IoError::from_raw_os_error(error as i32)),
            }
        }
    }

    /// The disk of one script.
    pub(super) struct NbdDisk {
        command: String,
        dir: TempDir,
        served: Option<Served>,
    }

    impl NbdDisk {
        pub(super) fn start(command: &str) -> Result<Self> {
            let dir = TempDir::new().map_err(|e| Error::from_io("making a directory for the disk", e))?;
            let mut disk = Self { command: command.to_owned(), dir, served: None };
            disk.restart().map(|()| disk)
        }

        pub(super) fn geometry(&self) -> Result<Geometry> {
            let gone = || Error::new(ErrorKind::Failed, "the server is gone");
            self.served.as_ref().map(|served| served.geometry).ok_or_else(gone)
        }

        fn ask(
            &mut self,
            kind: u16,
            flags: u16,
            range: std::ops::Range<u64>,
            data: &[u8],
            buf: &mut [u8],
        ) -> Result<()> {
            let (at, len) = (range.start * u64::from(SECTOR), (range.end - range.start) * u64::from(SECTOR));
            let Some(served) = &mut self.served else {
                return Err(Error::new(ErrorKind::Failed, "the server is gone"));
            };
            served.ask(kind, flags, at, len as u32, data, buf).map_err(|e| Error::from_io("asking the server", e))
        }
    }

    impl Subject for NbdDisk {
        fn read(&mut self, sector: u64, buf: &mut [u8]) -> Result<()> {
            let range = self.geometry()?.check_buffer(sector, buf.len())?;
            if range.is_empty() { Ok(()) } else { self.ask(READ, 0, range, &[], buf) }
        }

        fn write(&mut self, sector: u64, data: &[u8], durability: Durability) -> Result<()> {
            let range = self.geometry()?.check_buffer(sector, data.len())?;
            let flags = if durability == Durability::Fua { FUA } else { 0 };
            if range.is_empty() { Ok(()) } else { self.ask(WRITE, flags, range, data, &mut []) }
        }

        fn unmap(&mut self, sector: u64, count: u64) -> Result<()> {
            let range = self.geometry()?.check_range(sector, count)?;
            if range.is_empty() { Ok(()) } else { self.ask(WRITE_ZEROES, 0, range, &[], &mut []) }
        }

        fn flush(&mut self) -> Result<()> {
            self.ask(FLUSH, 0, 0..0, &[], &mut [])
        }

        fn powered(&mut self) -> Option<&mut dyn Powered> {
            Some(self)
        }
    }

    impl Powered for NbdDisk {
        fn cut(&mut self, _lost: &Lost) {
            self.served = None;
        }

        fn restart(&mut self) -> Result<()> {
            self.served = None;
            let started = Served::start(&self.command, self.dir.path());
            self.served = Some(started.map_err(|e| Error::from_io("starting the server", e))?);
            Ok(())
        }
    }
}

#[cfg(unix)]
fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let (Some(Ok(scripts)), Some(command)) = (args.next().map(|count| count.parse()), args.next()) else {
        eprintln!("own_nbd SCRIPTS COMMAND: the command makes `disk` if it is not there, and serves it on `socket`");
        return ExitCode::from(2);
    };
    let geometry = match disk::NbdDisk::start(&command).and_then(|disk| disk.geometry()) {
        Ok(geometry) => geometry,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    match disklayer_sqlite::harness::search(geometry, 1, scripts, || {
        disk::NbdDisk::start(&command).unwrap_or_else(|error| panic!("{error}"))
    }) {
        Ok(summary) => {
            println!("PASS  {scripts} scripts, {} sectors compared", summary.sectors);
            ExitCode::SUCCESS
        }
        Err(finding) => {
            println!("FAIL  in script {}, shrunk to:\n\n{}", finding.case, finding.divergence);
            ExitCode::from(1)
        }
    }
}

#[cfg(not(unix))]
fn main() -> ExitCode {
    eprintln!("it speaks to a unix socket");
    ExitCode::from(2)
}
