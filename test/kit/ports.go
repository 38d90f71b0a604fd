package kit

import (
	"fmt"
	"net"
	"os"
	"sync/atomic"
)

// The ports lie below those that Linux gives to connections by itself.
const firstPort, portCount = 20_000, 12_000

// portsGiven counts the ports that were given away.
var portsGiven atomic.Int32

// FreePort returns a TCP port of this machine that nobody listens on, another one each time: a stack takes its own only
// when its containers start. Each process begins elsewhere.
func FreePort() (uint16, error) {
	for range portCount {
		n := firstPort + (os.Getpid()+int(portsGiven.Add(1)))%portCount
		if listener, err := net.ListenTCP("tcp", &net.TCPAddr{Port: n}); err == nil {
			return uint16(n), listener.Close()
		}
	}
	return 0, fmt.Errorf("looking for a free port: all from %d to %d are taken", firstPort, firstPort+portCount-1)
}
