//! Messages on a stream: a length of four bytes, little-endian, then that many bytes.

use std::io::{self, Read};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::budget::MESSAGE;

const LENGTH: usize = size_of::<u32>();

/// Reads one message; `None` at the end of the stream.
pub(crate) fn read(stream: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; LENGTH];
    // An end between two messages is not an error.
    if stream.read(&mut length[..1])? == 0 {
        return Ok(None);
    }
    stream.read_exact(&mut length[1..])?;
    let mut message = vec![0; checked(length)?];
    stream.read_exact(&mut message)?;
    Ok(Some(message))
}

/// Writes one message.
#[cfg(test)]
pub(crate) fn write(stream: &mut impl std::io::Write, message: &[u8]) -> io::Result<()> {
    let mut frame = Vec::new();
    push(&mut frame, message)?;
    stream.write_all(&frame)
}

/// Appends one message to a buffer. A buffer with several messages needs only one write.
pub(crate) fn push(buffer: &mut Vec<u8>, message: &[u8]) -> io::Result<()> {
    buffer.extend_from_slice(&header(message)?);
    buffer.extend_from_slice(message);
    Ok(())
}

/// Reads one message; `None` at the end of the stream. Not cancel-safe: dropping the future loses a part of the message.
pub(crate) async fn read_async(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; LENGTH];
    if stream.read(&mut length[..1]).await? == 0 {
        return Ok(None);
    }
    stream.read_exact(&mut length[1..]).await?;
    let mut message = vec![0; checked(length)?];
    stream.read_exact(&mut message).await?;
    Ok(Some(message))
}

/// Writes one message.
pub(crate) async fn write_async(stream: &mut (impl AsyncWrite + Unpin), message: &[u8]) -> io::Result<()> {
    let mut frame = Vec::with_capacity(LENGTH + message.len());
    push(&mut frame, message)?;
    stream.write_all(&frame).await?;
    stream.flush().await
}

fn header(message: &[u8]) -> io::Result<[u8; LENGTH]> {
    match u32::try_from(message.len()) {
        Ok(length) if message.len() <= MESSAGE.limit => Ok(length.to_le_bytes()),
        _ => Err(too_long()),
    }
}

fn checked(length: [u8; LENGTH]) -> io::Result<usize> {
    let length = u32::from_le_bytes(length) as usize;
    if length > MESSAGE.limit { Err(too_long()) } else { Ok(length) }
}

fn too_long() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, MESSAGE.message())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_as_they_were_written() {
        let mut wire = Vec::new();
        for message in [&b"{}"[..], b"", &[7; 70_000]] {
            write(&mut wire, message).unwrap();
        }
        let mut stream = wire.as_slice();
        assert_eq!(read(&mut stream).unwrap().unwrap(), b"{}");
        assert_eq!(read(&mut stream).unwrap().unwrap(), b"");
        assert_eq!(read(&mut stream).unwrap().unwrap(), [7; 70_000]);
        assert_eq!(read(&mut stream).unwrap(), None);
    }

    #[tokio::test]
    async fn both_kinds_of_stream_use_the_same_frames() {
        let mut wire = Vec::new();
        write_async(&mut wire, b"abc").await.unwrap();
        assert_eq!(wire, *b"\x03\0\0\0abc");
        assert_eq!(read(&mut wire.as_slice()).unwrap().unwrap(), b"abc");
        assert_eq!(read_async(&mut wire.as_slice()).await.unwrap().unwrap(), b"abc");
    }

    #[tokio::test]
    async fn a_truncated_message_and_an_excessive_length_are_errors() {
        for (wire, kind) in [
            (&b"\x03\0"[..], io::ErrorKind::UnexpectedEof),
            (b"\x03\0\0\0ab", io::ErrorKind::UnexpectedEof),
            (b"\xff\xff\xff\xff", io::ErrorKind::InvalidData),
        ] {
            assert_eq!(read(&mut &wire[..]).unwrap_err().kind(), kind);
            assert_eq!(read_async(&mut &wire[..]).await.unwrap_err().kind(), kind);
        }
    }
}
