//! The command that makes what an image copies: each once for each process that asks.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::Command,
    sync::{Mutex as Turn, mpsc},
};

use super::{Teller, error::ImageError, tail::Tail};

/// A command and the folder that it runs in, and whether it has been run well.
type Ran = BTreeMap<(PathBuf, Vec<String>), Arc<Turn<bool>>>;

/// What this process has run already: those side by side wait for one, later ones do not repeat it.
static RAN: Mutex<Ran> = Mutex::new(BTreeMap::new());

/// Runs the command in the root, unless this process has already run it well.
///
/// # Errors
/// When it cannot be started or fails.
pub(super) async fn run_once(root: &Path, words: &[String], teller: &Teller<'_>) -> Result<(), ImageError> {
    let key = (root.to_owned(), words.to_vec());
    let turn = Arc::clone(RAN.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default());
    let mut done = turn.lock().await;
    if !*done {
        run(root, words, teller).await?;
        *done = true;
    }
    Ok(())
}

async fn run(root: &Path, words: &[String], teller: &Teller<'_>) -> Result<(), ImageError> {
    let command = words.join(" ");
    let program = words.first().cloned().unwrap_or_default();
    teller.began(&command);
    let mut start = Command::new(&program);
    start.args(words.iter().skip(1)).current_dir(root);
    start.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    // They would replace the flags that the command itself gives: then a program would not be static.
    start.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    let not_started = |why| ImageError::NotStarted { image: teller.image(), command: command.clone(), program, why };
    let mut child = match start.spawn() {
        Ok(child) => child,
        Err(why) => return Err(not_started(why)),
    };
    let (sender, mut lines) = mpsc::channel(64);
    let stdout = read_lines(child.stdout.take(), sender.clone());
    let stderr = read_lines(child.stderr.take(), sender);
    let mut tail = Tail::default();
    let tell = async {
        while let Some(line) = lines.recv().await {
            teller.line(&line);
            tail.push(&line);
        }
    };
    let ((), (), (), ended) = tokio::join!(stdout, stderr, tell, child.wait());
    match ended {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(ImageError::CommandFailed {
            image: teller.image(),
            command,
            how: status.to_string(),
            output: tail.text(),
        }
        .or_disk_full()),
        Err(why) => Err(ImageError::NotStarted { image: teller.image(), program: command.clone(), command, why }),
    }
}

async fn read_lines(from: Option<impl AsyncRead + Unpin>, to: mpsc::Sender<String>) {
    let Some(from) = from else { return };
    let mut reader = BufReader::new(from);
    let mut line = Vec::new();
    // What cannot be read any more has ended; how the command ended is told by its status.
    while reader.read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        line.clear();
        if to.send(text).await.is_err() {
            return;
        }
    }
}
