// Command program is what the containers of the engine's tests run.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	switch arg(1) {
	case "serve": // until a signal comes
		signals := make(chan os.Signal, 1)
		signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
		fmt.Println("serving", os.Getenv("GREETING"))
		if arg(2) != "" {
			listener, err := net.Listen("tcp", arg(2))
			if err != nil {
				fail(err)
			}
			defer func() { _ = listener.Close() }()
		}
		<-signals
		fmt.Println("stopping")
	case "exit": // with a code, after a pause in milliseconds
		fmt.Println("on stdout")
		fmt.Fprintln(os.Stderr, "on stderr")
		time.Sleep(time.Duration(number(3)) * time.Millisecond)
		os.Exit(number(2))
	case "lines":
		for i := range number(2) {
			fmt.Println("line", i)
		}
	case "long": // one line of so many bytes, longer than the engine keeps in one piece
		fmt.Println(strings.Repeat("x", number(2)-3) + "end")
	case "pipe": // from stdin to stdout, then a word on stderr and a code
		n, err := io.Copy(os.Stdout, os.Stdin)
		if err != nil {
			fail(err)
		}
		fmt.Fprintln(os.Stderr, n, "bytes")
		os.Exit(number(2))
	case "cat":
		content, err := os.ReadFile(arg(2))
		if err != nil {
			fail(err)
		}
		fmt.Print(string(content))
	case "eat": // after a pause in milliseconds, memory, until there is none
		time.Sleep(time.Duration(number(2)) * time.Millisecond)
		var eaten [][]byte
		for {
			block := make([]byte, 1<<20)
			for i := range block {
				block[i] = 1
			}
			eaten = append(eaten, block)
		}
	default:
		fail(fmt.Errorf("unknown word %q", arg(1)))
	}
}

func arg(i int) string {
	if i < len(os.Args) {
		return os.Args[i]
	}
	return ""
}

func number(i int) int {
	n, err := strconv.Atoi(arg(i))
	if arg(i) != "" && err != nil {
		fail(err)
	}
	return n
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(99)
}
