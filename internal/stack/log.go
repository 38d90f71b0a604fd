package stack

import "time"

// LogOptions choose what is read of a container's log.
type LogOptions struct {
	Since  time.Time // zero: from the beginning
	Tail   int       // no more than so many of the last lines; negative for all
	Follow bool      // go on with what is written from now on, until the container has ended
}

// LogLine is one line that a container has written.
type LogLine struct {
	Time   time.Time
	Stream string // stdout or stderr; stdout for both where the container has a terminal
	Text   string // without the end of the line
}
