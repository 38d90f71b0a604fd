package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"syncmaster-setup/internal/report"
	"syncmaster-setup/internal/setup"
	"syncmaster-setup/internal/stack"
)

// shortDigest is how much of a digest is shown; the engine's own tools show as much.
const shortDigest = 12

// The colours of what is well, what is not, and what only should be known.
const (
	green  = "\x1b[32m"
	red    = "\x1b[31m"
	yellow = "\x1b[33m"
	plain  = "\x1b[0m"
)

// paint colours a text on a terminal that wants it.
func (p *program) paint(colour, text string) string {
	if p.noColor || !redraws(p.streams.Out) {
		return text
	}
	return colour + text + plain
}

// statusParts returns the one screen of status for a window of so many columns, 0 for one without an edge: what it comes
// to, what there is, and what is wrong. brief leaves out what has no room beside the services.
func (p *program) statusParts(st setup.Status, columns int, brief bool) (head, state, remarks string) {
	var b, wrong strings.Builder
	verdict := p.paint(green, "healthy")
	if !st.Healthy {
		verdict = p.paint(red, counted(len(st.Problems), "problem"))
	}
	head = fmt.Sprintf("SyncMaster %s in %s: %s\n%s", st.Version, st.Dir, verdict, p.workText(st.Work))
	b.WriteString("\n")
	p.writeServices(&b, st.Services, columns, brief)
	b.WriteString("\n")
	row := func(name, text string) {
		if text != "" {
			fmt.Fprintf(&b, "  %-10s %s\n", name, text)
		}
	}
	row("database", databaseText(st.Database))
	row("broker", orProblem(st.Broker.Problem, "RabbitMQ "+st.Broker.Version))
	row("queues", queuesText(st))
	row("transfers", transfersText(st))
	row("disk", volumesText(st.Volumes))
	row("backup", backupText(st.Backup))
	p.writeRemarks(&wrong, "Problems", red, st.Problems)
	p.writeRemarks(&wrong, "Notes", yellow, st.Notes)
	return head, b.String(), wrong.String()
}

// writeServices writes a line for each service. Image and ports that have no room beside it stand below.
func (p *program) writeServices(b *strings.Builder, services []setup.Service, width int, brief bool) {
	table := [][]string{{"SERVICE", "STATE", "UP", "RESTARTS", "IMAGE", "PORTS"}}
	for _, s := range services {
		up := "-"
		if s.Since != nil {
			up = age(s.Seconds)
		}
		_, digest, _ := strings.Cut(s.Digest, ":")
		table = append(table, []string{
			s.Name, string(s.State), up, fmt.Sprint(s.Restarts),
			strings.TrimSpace(s.Image[strings.LastIndex(s.Image, "/")+1:] + " " + digest[:min(len(digest), shortDigest)]), strings.Join(s.Ports, " "),
		})
	}
	below := make([]string, len(table))
	if lines := columns(table); width > 0 && slices.ContainsFunc(lines, func(line string) bool { return len([]rune(line))+2 > width }) {
		const beside, margin = 4, "      "
		for n := range table {
			if n > 0 && !brief {
				below[n] = besides(table[n][beside], table[n][beside+1], margin, width)
			}
			table[n] = table[n][:beside]
		}
	}
	for n, line := range columns(table) {
		if n > 0 {
			switch state := services[n-1].State; state {
			case stack.Healthy, stack.Done:
				line = strings.Replace(line, string(state), p.paint(green, string(state)), 1)
			case stack.Starting, stack.Unknown:
				line = strings.Replace(line, string(state), p.paint(yellow, string(state)), 1)
			default:
				line = strings.Replace(line, string(state), p.paint(red, string(state)), 1)
			}
		}
		b.WriteString("  " + line + "\n")
		b.WriteString(below[n])
	}
}

// besides puts image and ports on a line, or on two where they do not fit.
func besides(image, ports, margin string, width int) string {
	switch {
	case image == "" && ports == "":
		return ""
	case ports == "":
		return margin + image + "\n"
	case len(margin+image+ports)+2 <= width:
		return margin + image + "  " + ports + "\n"
	}
	return margin + image + "\n" + margin + ports + "\n"
}

// writeRemarks lists what is wrong, each with what to type and its last log lines.
func (p *program) writeRemarks(b *strings.Builder, title, colour string, remarks []setup.Remark) {
	if len(remarks) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s\n", p.paint(colour, title))
	for _, r := range remarks {
		fmt.Fprintf(b, "  - %s\n", indented(r.What, "    "))
		if r.Next != "" { // first, since log lines may not fit the window
			fmt.Fprintf(b, "    → %s\n", r.Next)
		}
		if r.Logs != "" {
			fmt.Fprintf(b, "      %s\n", indented(r.Logs, "      "))
		}
	}
}

// workText is the line about what is at work.
func (p *program) workText(w *setup.Work) string {
	if w == nil {
		return ""
	}
	return p.paint(yellow, w.Text) + "\n"
}

func databaseText(d setup.DatabaseStatus) string {
	if d.Problem != "" {
		return d.Problem
	}
	text := "revision " + orNone(d.Revision)
	switch {
	case len(d.Pending) > 0:
		text += ", pending " + strings.Join(d.Pending, ", ")
	case d.Head != "" && d.Revision == d.Head:
		text += " (head)"
	case d.Head != "":
		text += " (the release ends at " + d.Head + ")"
	}
	return text + ", " + report.Bytes(d.Bytes)
}

func queuesText(st setup.Status) string {
	if st.Database.Problem != "" {
		return ""
	}
	var rows [][]string
	for _, q := range st.Queues {
		workers, messages := counted(q.Workers, "worker"), fmt.Sprintf("%d waiting", max(q.Messages, q.Waiting))
		if !q.Known {
			workers, messages = "workers unknown", fmt.Sprintf("%d waiting", q.Waiting)
		}
		rows = append(rows, []string{q.Slug, workers, messages})
	}
	return lines(rows, "none yet")
}

func transfersText(st setup.Status) string {
	if st.Database.Problem != "" {
		return ""
	}
	var rows [][]string
	for _, r := range st.Transfers {
		state := "running"
		if r.Stranded {
			state = "stranded"
		}
		rows = append(rows, []string{fmt.Sprintf("run %d", r.ID), r.Transfer, state, "for " + age(r.Seconds)})
	}
	return lines(rows, "none running")
}

func volumesText(volumes []setup.VolumeStatus) string {
	var rows [][]string
	for _, v := range volumes {
		size := ""
		if v.Bytes > 0 {
			size = report.Bytes(v.Bytes)
		}
		rows = append(rows, []string{v.Name, size})
	}
	return lines(rows, "")
}

func backupText(b *setup.BackupStatus) string {
	if b == nil {
		return "none"
	}
	return b.Name + ", " + age(b.Seconds) + " ago"
}

// lines puts rows below one another, aligned under the first.
func lines(rows [][]string, none string) string {
	if len(rows) == 0 {
		return none
	}
	return strings.Join(columns(rows), "\n             ")
}

// columns pads the cells of a table to their column's width.
func columns(table [][]string) []string {
	widths := map[int]int{}
	for _, cells := range table {
		for i, cell := range cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	list := make([]string, len(table))
	for n, cells := range table {
		for i, cell := range cells {
			list[n] += cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2)
		}
		list[n] = strings.TrimRight(list[n], " ")
	}
	return list
}

// age shows seconds in the two largest units that count.
func age(seconds int64) string {
	d := time.Duration(seconds) * time.Second
	const day = 24 * time.Hour
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", seconds)
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < day:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd%dh", d/day, int(d.Hours())%24)
}

func counted(n int, noun string) string {
	if n == 0 {
		return "no " + noun
	}
	return fmt.Sprintf("%d %s%s", n, noun, plural(n))
}

func orProblem(problem, text string) string {
	if problem != "" {
		return problem
	}
	return strings.TrimSpace(text)
}

func indented(text, by string) string { return strings.ReplaceAll(text, "\n", "\n"+by) }
