package cli

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// colour is what paint puts around a text, which takes no room.
var colour = regexp.MustCompile(`^\x1b\[[0-9;]*m`)

// folded breaks lines that are longer than a window is wide.
func folded(text string, columns int) []string {
	var list []string
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		width, begin := 0, 0
		for i := 0; i < len(line); {
			if code := colour.FindString(line[i:]); code != "" {
				i += len(code)
				continue
			}
			if width++; width > columns {
				list = append(list, line[begin:i])
				begin, width = i, 1
			}
			_, size := utf8.DecodeRuneInString(line[i:])
			i += size
		}
		list = append(list, line[begin:])
	}
	return list
}

var (
	columnGap = regexp.MustCompile(`\S {2,}`)
	// fileLine is what a plan changes in a file, which stays as it is.
	fileLine = regexp.MustCompile(`^ {4}[-+] `)
)

// hung breaks the lines of a text between words where they are longer than the window of a stream is wide; they go on
// below their last column. A pipe has no edge.
func hung(text string, stream any) string {
	if !isTerminal(stream) {
		return text
	}
	columns, _ := terminalSize(stream)
	return hungAt(text, columns)
}

func hungAt(text string, columns int) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if fileLine.MatchString(line) || utf8.RuneCountInString(line) <= columns+1 { // with its end
			b.WriteString(line)
			continue
		}
		margin := len(line) - len(strings.TrimLeft(line, " ")) + 2
		for _, gap := range columnGap.FindAllStringIndex(line, -1) {
			if gap[1] <= columns/2 {
				margin = gap[1]
			}
		}
		words := strings.Split(strings.TrimSuffix(line, "\n"), " ")
		used := 0
		for i, word := range words {
			width := utf8.RuneCountInString(word)
			switch {
			case i == 0:
			case used+1+width > columns && used > margin:
				b.WriteString("\n" + strings.Repeat(" ", margin))
				used = margin
			default:
				b.WriteByte(' ')
				used++
			}
			b.WriteString(word)
			used += width
		}
		b.WriteByte('\n')
	}
	return b.String()
}
