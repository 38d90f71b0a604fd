package release

import (
	"strings"

	"syncmaster-setup/internal/nearest"
)

// nearestOf returns the candidate that was most probably meant, or the empty string where none is near: the one that
// ends with the name, the one that it lies below, or else the one that the fewest changes make, at most a third of its letters.
func nearestOf(name string, candidates []string) string {
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
	return nearest.Within(name, candidates, max(2, len(name)/3))
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

func sharedBeginning(a, b string) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}
