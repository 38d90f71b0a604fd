package envfile

import (
	"slices"
	"strings"
)

// item is a part of a file that is moved as a whole: a line, or the lines of a value that has several.
type item struct {
	id   string // what makes it the same item in another version: the key, whatever its value; else the text
	key  string // of its one assignment; empty where it has none, or several
	text string // without its last line end
}

// items cuts a file into items that no statement crosses.
func (f *File) items() []item {
	var list []item
	next := 0
	for pos := len(f.text) - len(strings.TrimPrefix(f.text, bom)); pos < len(f.text); {
		end, first := f.lineEnd(pos), next
		for ; next < len(f.statements) && f.statements[next].start <= end; next++ {
			end = max(end, f.lineEnd(f.statements[next].valueEnd))
		}
		i := item{text: strings.TrimSuffix(f.text[pos:end], "\r")}
		i.id = "#" + i.text
		if next == first+1 {
			i.key = f.key(f.statements[first])
			i.id = "=" + i.key
		}
		list, pos = append(list, i), end+1
	}
	return list
}

// arrange returns the lines of the merged file: those of theirs where the user left them as they were, those of ours
// where only the user changed them, and where both did, ours with the additions of theirs and without what theirs lacks.
func (m *merge) arrange() string {
	base, ours, theirs := m.base.items(), m.ours.items(), m.theirs.items()
	inOurs, inTheirs := match(base, ours), match(base, theirs)
	var list []item
	b, o, t := 0, 0, 0
	for i := range base {
		if inOurs[i] < 0 || inTheirs[i] < 0 {
			continue
		}
		list = append(list, between(base[b:i], ours[o:inOurs[i]], theirs[t:inTheirs[i]])...)
		list = append(list, ours[inOurs[i]])
		b, o, t = i+1, inOurs[i]+1, inTheirs[i]+1
	}
	list = append(list, between(base[b:], ours[o:], theirs[t:])...)
	return m.write(list)
}

// between merges what lies between two items that all versions have.
func between(base, ours, theirs []item) []item {
	switch {
	case slices.EqualFunc(base, ours, same):
		return theirs
	case slices.EqualFunc(base, theirs, same):
		return ours
	}
	list := slices.DeleteFunc(slices.Clone(ours), func(i item) bool { return has(base, i) && !has(theirs, i) })
	at := 0 // where the next addition goes: after what stands before it in theirs
	for _, i := range theirs {
		if found := slices.IndexFunc(list[at:], func(l item) bool { return same(l, i) }); found >= 0 {
			at += found + 1
		} else if !has(base, i) {
			list = slices.Insert(list, at, i)
			at++
		}
	}
	return list
}

// write joins items to a text with the line ends of ours. A key that theirs has moved keeps the line that the user
// gave it, and stands there once.
func (m *merge) write(list []item) string {
	end := "\n"
	if strings.Contains(m.ours.text, "\r\n") {
		end = "\r\n"
	}
	mine, left := map[string]string{}, map[string]int{}
	for _, i := range m.theirs.items() {
		left[i.id]++
	}
	count := map[string]int{}
	for _, i := range m.ours.items() {
		mine[i.id] = i.text
		count[i.id]++
		left[i.id] = max(left[i.id], count[i.id])
	}
	var text strings.Builder
	if strings.HasPrefix(m.ours.text, bom) {
		text.WriteString(bom)
	}
	for _, i := range list {
		if i.key != "" && left[i.id] == 0 || count[i.id] == 0 && m.decided(i) {
			continue
		}
		left[i.id]--
		if line, has := mine[i.id]; has && count[i.id] == 1 {
			i.text = line
		}
		text.WriteString(i.text + end)
	}
	return text.String()
}

// decided reports whether an item is a value in a comment, shown as the one to choose, of a key that the user has set.
func (m *merge) decided(i item) bool {
	line, comment := strings.CutPrefix(i.text, "#")
	key, _, assignment := strings.Cut(line, "=")
	_, set := m.ours.Get(key)
	return comment && assignment && set
}

// match pairs the items of a longest common subsequence: for each of a its index in b, or -1.
func match(a, b []item) []int {
	length := make([][]int, len(a)+1) // of the subsequence of a[i:] and b[j:]
	length[len(a)] = make([]int, len(b)+1)
	for i := len(a) - 1; i >= 0; i-- {
		length[i] = make([]int, len(b)+1)
		for j := len(b) - 1; j >= 0; j-- {
			length[i][j] = max(length[i+1][j], length[i][j+1])
			if same(a[i], b[j]) {
				length[i][j] = length[i+1][j+1] + 1
			}
		}
	}
	pairs, j := make([]int, len(a)), 0
	for i := range a {
		pairs[i] = -1
		for ; j < len(b) && length[i][j] == length[i][j+1]; j++ {
		}
		if j < len(b) && same(a[i], b[j]) && length[i][j] == length[i+1][j+1]+1 {
			pairs[i] = j
			j++
		}
	}
	return pairs
}

func same(a, b item) bool { return a.id == b.id }

func has(list []item, i item) bool {
	return slices.ContainsFunc(list, func(l item) bool { return same(l, i) })
}
