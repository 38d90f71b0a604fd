package probe

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
)

// The few words of AMQP 0-9-1 that a refused login needs. Frames are type, channel, size, payload, end; a method's
// payload begins with its class and number.
const (
	methodFrame     = 1
	frameEnd        = 0xCE
	maxFrame        = 128 << 10
	classConnection = 10
	connectionStart = 10
	connectionClose = 50
)

// login greets the broker, sends a user and password with the capability authentication_failure_close, and returns code
// and text of the broker's Connection.Close. 0 where the broker accepted the login or ended the connection otherwise.
func login(conn net.Conn, user, password string) (code int, text string) {
	if _, err := conn.Write([]byte("AMQP\x00\x00\x09\x01")); err != nil {
		return 0, ""
	}
	reader := bufio.NewReader(conn)
	if method, _, err := readMethod(reader); err != nil || method != connectionStart {
		return 0, ""
	}
	if _, err := conn.Write(startOk(user, password)); err != nil {
		return 0, ""
	}
	method, arguments, err := readMethod(reader)
	if err != nil || method != connectionClose || len(arguments) < 3 {
		return 0, ""
	}
	code = int(binary.BigEndian.Uint16(arguments))
	length := min(int(arguments[2]), len(arguments)-3)
	return code, string(arguments[3 : 3+length])
}

func readMethod(r io.Reader) (method uint16, arguments []byte, err error) {
	var header [7]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return 0, nil, err
	}
	size := binary.BigEndian.Uint32(header[3:])
	if header[0] != methodFrame || size < 4 || size > maxFrame {
		return 0, nil, errors.New("not an AMQP method")
	}
	payload := make([]byte, size+1)
	if _, err := io.ReadFull(r, payload); err != nil {
		return 0, nil, err
	}
	if payload[size] != frameEnd || binary.BigEndian.Uint16(payload) != classConnection {
		return 0, nil, errors.New("not a connection method")
	}
	return binary.BigEndian.Uint16(payload[2:]), payload[4:size], nil
}

// startOk is the frame of Connection.StartOk with the mechanism PLAIN.
func startOk(user, password string) []byte {
	capability := append(shortString(nil, "authentication_failure_close"), 't', 1)
	properties := append(shortString(nil, "capabilities"), 'F')
	properties = longString(properties, capability)
	payload := []byte{0, classConnection, 0, 11}
	payload = longString(payload, properties)
	payload = shortString(payload, "PLAIN")
	payload = longString(payload, []byte("\x00"+user+"\x00"+password))
	payload = shortString(payload, "en_US")
	frame := append([]byte{methodFrame, 0, 0}, binary.BigEndian.AppendUint32(nil, uint32(len(payload)))...) //nolint:gosec // a user and a password are no 4 GiB
	return append(append(frame, payload...), frameEnd)
}

func shortString(to []byte, text string) []byte {
	return append(append(to, byte(len(text))), text...) //nolint:gosec // only the constants above, all shorter than 256
}

func longString(to, text []byte) []byte {
	return append(binary.BigEndian.AppendUint32(to, uint32(len(text))), text...) //nolint:gosec // a user and a password are no 4 GiB
}
