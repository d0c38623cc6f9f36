//! A key service that checks what it is given, as AWS does: moto's. The emulator decrypts tampered ciphertext.
//!
//! `MOTO_SERVER` names its program; `make test` installs it and says where it is.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use testkit::emulator::Emulator;

/// A running server; it ends with the test.
pub struct Moto {
    child: Child,
    pub address: String,
}

impl Moto {
    #[expect(clippy::disallowed_methods, reason = "a test is told where the program is")]
    pub async fn start() -> Result<Self> {
        let program =
            std::env::var("MOTO_SERVER").context("MOTO_SERVER must name moto's server; `make test` sets it")?;
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = Command::new(program);
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]).stdout(Stdio::null()).stderr(Stdio::null());
        let moto =
            Self { child: command.spawn().context("moto's server")?, address: format!("http://127.0.0.1:{port}") };
        for _ in 0..600 {
            if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                return Ok(moto);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        bail!("moto's server does not answer")
    }

    /// The emulator, with this key service in the place of its own.
    pub async fn emulator(&self) -> Result<Emulator> {
        let mut emulator = Emulator::connect().await?;
        emulator.kms = emulator.through(&self.address).kms;
        Ok(emulator)
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
