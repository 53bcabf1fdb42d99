//! Messages over streams, as the protocol frames them.
//!
//! What lsp-server does with its standard streams, but for two things: it trusts a length whatever it
//! is, and ends at the first message that is none without a word.

use std::{
    io::{self, BufRead, Read as _, Write},
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use lsp_server::{Connection, Message, Notification};

use super::{Disk, serve};

/// No message of an editor is longer: it holds a file, which is not read if it is longer than 8 MiB.
const LONGEST: u64 = 64 * 1024 * 1024;

/// How long an editor that leaves may take for each thing that it was told.
const PATIENCE: Duration = Duration::from_secs(1);

/// Serves the editor that writes to `input` until it has enough; whether it said so. What it said that
/// was no message goes to `complain`; `leave` is called as soon as it has read what it was told, or does
/// not, and need not come back.
pub(crate) fn run(
    input: impl BufRead + Send,
    mut output: impl Write + Send,
    complain: impl Fn(&str) + Sync,
    disk: &dyn Disk,
    leave: impl Fn(bool),
) -> bool {
    let (server, Connection { sender, receiver }) = Connection::memory();
    let (told, (wrote, written)) = (AtomicUsize::new(0), mpsc::channel());
    let leave = |ended| {
        let mut unread = told.load(Ordering::SeqCst);
        while unread > 0 && written.recv_timeout(PATIENCE).is_ok() {
            unread -= 1;
        }
        leave(ended && unread == 0);
    };
    thread::scope(|scope| {
        let complain = &complain;
        scope.spawn(move || hear(input, complain, |it| sender.send(it).is_ok()));
        let writer = scope.spawn(move || {
            receiver.iter().try_for_each(|it| {
                it.write(&mut output)?;
                // It is listened to at the end only, and then not for ever.
                let _ = wrote.send(());
                io::Result::Ok(())
            })
        });
        let ended = serve(server, disk, &told, &leave);
        ended && writer.join().is_ok_and(|it| it.is_ok())
    })
}

/// Hands on what is read until there is no more, or nobody takes it.
fn hear(mut input: impl BufRead, complain: &dyn Fn(&str), mut take: impl FnMut(Message) -> bool) {
    loop {
        let body = match body(&mut input) {
            Ok(Some(Ok(body))) => body,
            // Where the next one starts is known.
            Ok(Some(Err(length))) => {
                complain(&format!("the editor's message is passed over: it has {length} bytes"));
                continue;
            }
            Ok(None) => return,
            Err(why) => return complain(&format!("the editor's message cannot be read: {why}")),
        };
        let message: Message = match serde_json::from_slice(&body) {
            Ok(message) => message,
            Err(why) => {
                complain(&format!("the editor's message is not one of JSON-RPC: {why}"));
                continue;
            }
        };
        let is_last = matches!(&message, Message::Notification(Notification { method, .. }) if method == "exit");
        if !take(message) || is_last {
            return;
        }
    }
}

/// What the next message holds, or its length if it is too long; nothing at the end.
///
/// # Errors
/// The stream broke off, or it cannot be told where the next message starts.
fn body(input: &mut impl BufRead) -> io::Result<Option<Result<Vec<u8>, u64>>> {
    let broken = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    let mut length = None;
    loop {
        let mut line = Vec::new();
        // A header is short; what has no end is none.
        input.by_ref().take(1024).read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let Some((name, value)) = line.split_once(':') else {
            return Err(broken(format!("`{}` is no header", line.escape_debug())));
        };
        if name.eq_ignore_ascii_case("Content-Length") {
            length = value.trim().parse().ok();
            if length.is_none() {
                let value = value.trim().escape_debug();
                return Err(broken(format!("`{value}` is no length of a message")));
            }
        }
    }
    let length: u64 = length.ok_or_else(|| broken("it says no length".to_owned()))?;
    if length > LONGEST {
        io::copy(&mut input.by_ref().take(length), &mut io::sink())?;
        return Ok(Some(Err(length)));
    }
    let mut body = Vec::new();
    input.by_ref().take(length).read_to_end(&mut body)?;
    let is_whole = body.len() as u64 == length;
    is_whole.then_some(Some(Ok(body))).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}
