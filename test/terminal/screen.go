// Package terminal runs a program on a terminal of the tests' own, and tells what its window shows.
package terminal

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Screen is what a program has written to a window, with the lines that were scrolled out of it.
type Screen struct {
	columns, rows int
	lines         [][]cell
	top           int // first line that the window shows
	row, column   int
	style         string
}

type cell struct {
	sign  rune
	style string
}

var sequence = regexp.MustCompile(`^\x1b\[([0-9;?]*)([A-Za-z])`)

// Shown plays what was written to a window of that size. It knows what this program uses: returns, colours, erasing, and
// the way home; any other sequence stays to be seen.
func Shown(written string, columns, rows int) *Screen {
	s := &Screen{columns: columns, rows: rows, lines: [][]cell{nil}}
	for written != "" {
		if m := sequence.FindStringSubmatch(written); m != nil && s.control(m[1], m[2]) {
			written = written[len(m[0]):]
			continue
		}
		sign := []rune(written)[0]
		written = written[len(string(sign)):]
		s.put(sign)
	}
	return s
}

// control obeys a sequence, and reports false for an unknown one.
func (s *Screen) control(parameter, final string) bool {
	switch final + parameter {
	case "K":
		s.erase(s.row, s.column)
	case "J":
		s.erase(s.row, s.column)
		s.lines = s.lines[:s.row+1]
	case "J2":
		s.lines = append(s.lines[:s.top], nil)
		s.row, s.column = s.top, 0
	case "H":
		s.row, s.column = s.top, 0
	default:
		if final != "m" {
			return false
		}
		s.style = strings.TrimPrefix(parameter, "0")
	}
	return true
}

func (s *Screen) erase(row, from int) { s.lines[row] = s.lines[row][:min(from, len(s.lines[row]))] }

// put writes a sign where the cursor is.
func (s *Screen) put(sign rune) {
	switch sign {
	case '\r':
		s.column = 0
		return
	case '\n':
		s.down()
		return
	}
	if s.column == s.columns { // a full line is left by the sign that has no room in it
		s.column = 0
		s.down()
	}
	line := s.lines[s.row]
	for len(line) <= s.column {
		line = append(line, cell{sign: ' '})
	}
	line[s.column] = cell{sign, s.style}
	s.lines[s.row] = line
	s.column++
}

func (s *Screen) down() {
	s.row++
	if s.row == len(s.lines) {
		s.lines = append(s.lines, nil)
	}
	s.top = max(s.top, s.row-s.rows+1)
}

// Text returns every line, those that were scrolled away, too.
func (s *Screen) Text() string { return text(s.lines, false) }

// Window returns the lines that the window shows.
func (s *Screen) Window() string { return text(s.lines[s.top:], false) }

// Coloured is [Screen.Text] with the codes of the colours in brackets: ‹32›healthy‹›.
func (s *Screen) Coloured() string { return text(s.lines, true) }

func text(lines [][]cell, coloured bool) string {
	var b strings.Builder
	for _, line := range lines {
		end := len(line)
		for end > 0 && line[end-1].sign == ' ' {
			end--
		}
		style := ""
		for _, c := range line[:end] {
			if coloured && c.style != style {
				style = c.style
				b.WriteString("‹" + style + "›")
			}
			b.WriteString(shown(c.sign))
		}
		if style != "" {
			b.WriteString("‹›")
		}
		b.WriteByte('\n')
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// shown makes control characters visible.
func shown(sign rune) string {
	if slices.Contains([]rune{'\x1b', '\a', '\b', '\t'}, sign) {
		return strings.Trim(strconv.QuoteRune(sign), "'")
	}
	return string(sign)
}
