package e2e_test

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"time"
)

var highWater = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// peak runs a command of the program to its end and returns the most bytes of memory that it had at once. That is read
// while it runs: what the kernel keeps for the time after counts the process that has started it, too.
func (s *stack) peak(command string, args ...string) int64 {
	s.t.Helper()
	p := begin(s.t, s.wrap(s.on(command, args...)))
	ended, result := make(chan struct{}), make(chan int64, 1)
	go func() {
		var most int64
		for {
			status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
			if found := highWater.FindSubmatch(status); err == nil && found != nil {
				kib, _ := strconv.ParseInt(string(found[1]), 10, 64) // they are digits
				most = max(most, kib<<10)
			}
			select {
			case <-ended:
				result <- most
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	p.wait().is(s.t, 0)
	close(ended)
	most := <-result
	if most < 8<<20 {
		s.t.Fatalf("%s took %d bytes of memory, which cannot be", command, most)
	}
	return most
}
