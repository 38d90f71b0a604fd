package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"syncmaster-setup/test/kit/facts"
)

// shell is `sh -c "A && B || C; D"` for programs of the stand-in and the builtins exit, echo and exec. Words may be
// quoted; variables, pipes and redirections are not known.
func shell(r facts.Release, args []string) int {
	if len(args) < 2 || args[0] != "-c" {
		return fail("sh: only `sh -c COMMANDS` works in a stand-in")
	}
	status, skip := 0, false
	for _, part := range split(args[1]) {
		switch part.word {
		case "&&":
			skip = status != 0
			continue
		case "||":
			skip = status == 0
			continue
		case ";":
			skip = false
			continue
		}
		if skip || len(part.args) == 0 {
			continue
		}
		switch part.args[0] {
		case "exit":
			return exitStatus(part.args, status)
		case "echo":
			fmt.Println(strings.Join(part.args[1:], " "))
			status = 0
		case "exec":
			return call(r, part.args[1:])
		default:
			status = call(r, part.args)
		}
	}
	return status
}

func exitStatus(args []string, status int) int {
	if len(args) > 1 {
		if n, err := strconv.Atoi(args[1]); err == nil {
			return n
		}
	}
	return status
}

// piece is a command, or an operator between two.
type piece struct {
	word string
	args []string
}

// split cuts a line into commands and operators.
func split(line string) []piece {
	var pieces []piece
	var current []string
	for _, word := range fields(line) {
		if word == "&&" || word == "||" || word == ";" {
			pieces = append(pieces, piece{args: current}, piece{word: word})
			current = nil
			continue
		}
		current = append(current, word)
	}
	return append(pieces, piece{args: current})
}

// fields cuts a line into words; quotes group, a semicolon stands for itself.
func fields(line string) []string {
	var words []string
	var word strings.Builder
	quote, open := rune(0), false
	end := func() {
		if open {
			words = append(words, word.String())
		}
		word.Reset()
		open = false
	}
	for _, c := range line {
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote, open = c, true
		case quote == 0 && c == ';':
			end()
			words = append(words, ";")
		case quote == 0 && strings.ContainsRune(" \t\n", c):
			end()
		default:
			word.WriteRune(c)
			open = true
		}
	}
	end()
	return words
}

// curl gets one address. -f makes an HTTP error a failure with status 22; 7 is a refused connection.
func curl(_ facts.Release, args []string) int {
	var address string
	failing := false
	for _, arg := range args {
		switch {
		case !strings.HasPrefix(arg, "-"):
			address = arg
		case arg == "--fail" || !strings.HasPrefix(arg, "--") && strings.Contains(arg, "f"):
			failing = true
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		fmt.Fprintln(os.Stderr, "curl: (3)", err)
		return 3
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		fmt.Fprintln(os.Stderr, "curl: (7)", err)
		return 7
	}
	defer func() { _ = res.Body.Close() }() // it has been read
	if failing && res.StatusCode >= http.StatusBadRequest {
		fmt.Fprintln(os.Stderr, "curl: (22) The requested URL returned error:", res.StatusCode)
		return 22
	}
	if _, err := io.Copy(os.Stdout, res.Body); err != nil {
		return 23
	}
	return 0
}

// cat prints files.
func cat(_ facts.Release, args []string) int {
	for _, name := range args {
		content, err := os.ReadFile(name)
		if err != nil {
			return fail("cat: %v", err)
		}
		if _, err := os.Stdout.Write(content); err != nil {
			return 1
		}
	}
	return 0
}

// environment prints the variables, as env without arguments.
func environment(facts.Release, []string) int {
	fmt.Println(strings.Join(os.Environ(), "\n"))
	return 0
}
