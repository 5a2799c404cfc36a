package report

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"ssedge/bench/result"
)

//go:embed page.html
var source string

// page is parsed when it is asked for: a program that also has this package may start often and
// report seldom.
var page = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("page").Funcs(template.FuncMap{
		"format":  result.Format,
		"setting": setting,
		"words":   strings.Fields,
		"moment": func(t time.Time) string {
			return t.UTC().Format("2 January 2006, 15:04:05 UTC")
		},
	}).Parse(source))
})

// content is what the page is made of.
type content struct {
	Scenarios   []string
	Faults      []string
	Sound       string // that nothing was lost, if that was looked for
	Environment []entry
	Sysctls     map[string]string
	Tables      []table
	Plots       []drawing
	Results     []result.Result
}

// entry is a line of the environment.
type entry struct {
	Name, Value string
	Code        bool
}

func pageOf(run *result.Run) ([]byte, error) {
	c := content{
		Faults:      run.Faults(),
		Sound:       sound(run),
		Environment: environment(run.Environment),
		Sysctls:     run.Environment.Sysctl,
		Plots:       drawings(run),
		Results:     run.Results,
	}
	c.Scenarios = scenarios(run)
	for _, t := range run.Tables {
		c.Tables = append(c.Tables, tableOf(t))
	}
	var out bytes.Buffer
	err := page().Execute(&out, c)
	return out.Bytes(), err
}

// scenarios are what was asked for: with a table, which is made of parts, the one of the command.
func scenarios(run *result.Run) (all []string) {
	if words := strings.Fields(run.Environment.Command); len(run.Tables) > 0 && len(words) > 2 {
		return words[2:3]
	}
	for _, r := range run.Results {
		all = distinct(all, r.Scenario)
	}
	return all
}

// exact is the figures of a result that checked what arrived.
var exact = []string{"lost", "duplicates", "disorder"}

// sound says that everything arrived once and in order, if results looked, and all that looked
// found so; "" otherwise. What was only compared with has no part in it.
func sound(run *result.Run) string {
	looked, of := 0, 0
	faulty := false
	for _, r := range run.Results {
		if r.Reference || r.Interrupted {
			faulty = faulty || r.Reference && len(r.Faults) > 0
			continue
		}
		of++
		if len(r.Faults) > 0 {
			return ""
		}
		found := 0
		for _, name := range exact {
			f, ok := r.Figure(name)
			if ok && f.Value != 0 {
				return ""
			}
			if ok {
				found++
			}
		}
		if found == len(exact) {
			looked++
		}
	}
	if looked == 0 {
		return ""
	}
	text := "No loss, no duplicate, no disorder"
	if looked < of {
		text += fmt.Sprintf(" in any of the results that look for them, %d of %d", looked, of)
	}
	if faulty {
		text += ". What was only compared with had some"
	}
	return text + "."
}

func environment(e result.Environment) []entry {
	all := []entry{
		{"Date", date(e.Date), false}, {"Command", e.Command, true}, {"Version", e.Version, false},
		{"Go", e.Go, false},
		{"Kernel", e.Kernel, false}, {"CPU", e.CPU, false},
		{"Cores", count(uint64(max(0, e.Cores))), false}, {"Memory", memory(e.Memory), false},
		{"Open files", count(e.OpenFiles), false},
	}
	return slices.DeleteFunc(all, func(one entry) bool { return one.Value == "" })
}

func date(text string) string {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return text
	}
	return t.UTC().Format("2 January 2006, 15:04 UTC")
}

// memory is the kernel's "24684096 kB" for people.
func memory(text string) string {
	number, found := strings.CutSuffix(text, " kB")
	kb, err := strconv.ParseFloat(number, 64)
	if !found || err != nil {
		return text
	}
	return result.Format(kb*1024, result.Bytes)
}

// count is "" for 0: it is not known.
func count(n uint64) string {
	switch {
	case n == 0:
		return ""
	case n > 1<<62:
		return "unlimited"
	}
	return result.Format(float64(n), "")
}

// setting is a setting's value as one would write it on a command line.
func setting(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case fmt.Stringer:
		return v.String()
	case []string:
		return strings.Join(v, ",")
	}
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(text)
}

// table is a result.Table with what its cells are.
type table struct {
	Title string
	Head  []cell
	Rows  [][]cell
	Notes []string
}

// cell is a text, and what stands in brackets behind it: the spread of a number, which is written
// smaller.
type cell struct {
	Text, Spread string
	Number       bool // in a column of numbers
}

var (
	numeric  = regexp.MustCompile(`^[-+−]?[0-9][0-9.,]*($|[^0-9A-Za-z/_-].*$|[kKMG%]$)`)
	unknown  = regexp.MustCompile(`^[-–—?]?$`)
	brackets = regexp.MustCompile(`^(.*\S)\s*(\([^()]*\))$`)
)

// tableOf finds out which columns hold numbers: those whose every cell, but for dashes, is one. The
// first names the rows.
func tableOf(t result.Table) table {
	numbers := make(map[int]bool)
	for _, row := range t.Rows {
		for i, text := range row {
			text = strings.TrimSpace(text)
			before, seen := numbers[i]
			switch {
			case i == 0 || unknown.MatchString(text):
			case !numeric.MatchString(text):
				numbers[i] = false
			case !seen || before:
				numbers[i] = true
			}
		}
	}
	out := table{Title: t.Title, Notes: t.Notes}
	for i, text := range t.Columns {
		out.Head = append(out.Head, cell{Text: text, Number: numbers[i]})
	}
	for _, row := range t.Rows {
		var cells []cell
		for i, text := range row {
			c := cell{Text: text, Number: numbers[i]}
			if parts := brackets.FindStringSubmatch(text); parts != nil && c.Number {
				c.Text, c.Spread = parts[1], parts[2]
			}
			cells = append(cells, c)
		}
		out.Rows = append(out.Rows, cells)
	}
	return out
}
