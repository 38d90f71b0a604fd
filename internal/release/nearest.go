package release

import "strings"

// nearest returns the candidate that was most probably meant, or the empty string where none is near: the one that
// ends with the name, the one that it lies below, or else the one with the fewest changed letters, at most a third of them.
func nearest(name string, candidates []string) string {
	if len(name) > 2 {
		for _, c := range candidates {
			if strings.HasSuffix(c, "_"+strings.TrimPrefix(name, "_")) {
				return c
			}
		}
		if above := longestAbove(name, candidates); above != "" {
			return above
		}
	}
	return nearestWithin(name, candidates, max(2, len(name)/3))
}

// longestAbove returns the longest candidate below which name lies, as in SECTION for SECTION__KEY.
func longestAbove(name string, candidates []string) string {
	above := ""
	for _, c := range candidates {
		if len(c) > len(above) && strings.HasPrefix(name, c+"__") {
			above = c
		}
	}
	return above
}

// nearestWithin returns the first candidate with the fewest changes, at most limit.
func nearestWithin(name string, candidates []string, limit int) string {
	best := ""
	for _, c := range candidates {
		if max(len(name), len(c))-min(len(name), len(c)) > limit {
			continue // at least so many changes; a name of any length is told quickly
		}
		if d := distance(name, c); d <= limit {
			best, limit = c, d-1
		}
	}
	return best
}

// distance counts inserted, deleted and replaced bytes (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

func sharedBeginning(a, b string) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}
