// Package nearest finds the word that was meant where another one was typed.
package nearest

// Within returns the first candidate that the fewest changes make of word, at most limit of them, or the empty string
// where there is none. A change inserts, deletes or replaces a byte, or swaps two neighbours.
func Within(word string, candidates []string, limit int) string {
	best := ""
	for _, c := range candidates {
		if max(len(word), len(c))-min(len(word), len(c)) > limit {
			continue // at least so many changes; a word of any length is told quickly
		}
		if d := distance(word, c); d <= limit {
			best, limit = c, d-1
		}
	}
	return best
}

// distance counts the changes (optimal string alignment), with the last three rows of the usual table.
func distance(a, b string) int {
	before, above, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before, above, row = above, row, before
		row[0] = i + 1
		for j := range len(b) {
			changed := 1
			if a[i] == b[j] {
				changed = 0
			}
			row[j+1] = min(above[j]+changed, above[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(b)]
}
