// Package result is what a run of the load tool comes to: figures with names and units, which the
// text, the JSON, the page and the expectations of the command line all read, and behind them the
// distributions and series that are drawn.
package result

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Result is one scenario against one server.
type Result struct {
	Scenario string `json:"scenario"`
	// what was measured: a name such as ssedge/2, or the address
	Server  string    `json:"server"`
	Began   time.Time `json:"began"`
	Seconds float64   `json:"seconds"`
	// ended by a signal: the figures are those so far
	Interrupted bool `json:"interrupted,omitempty"`
	// measured to compare with: what is wrong with it fails nothing
	Reference bool `json:"reference,omitempty"`
	// of the scenario, by the names of their flags
	Settings map[string]any `json:"settings"`
	Figures  []Figure       `json:"figures"`
	Notes    []string       `json:"notes,omitempty"` // what a reader of the figures must know
	// what makes the run a failure: loss, duplicates, …
	Faults []string `json:"faults,omitempty"`
	Curves []Curve  `json:"curves,omitempty"`
}

// Figure is one number. Its name is its JSON name, and what --expect calls it.
type Figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit,omitempty"` // one of the constants below; "" for a plain number
	Says  string  `json:"says"`           // what it is, in a few words
}

// Units of figures and axes.
const (
	Milliseconds = "ms"
	Microseconds = "us"
	Seconds      = "s"
	Bytes        = "B"
	PerSecond    = "/s"
	Times        = "×" // a ratio
	Percent      = "%"
)

// Curve is a line in a plot. Curves with the same title share one, each with its server's name.
type Curve struct {
	Title  string       `json:"title"`
	Server string       `json:"server"`
	X      Axis         `json:"x"`
	Y      Axis         `json:"y"`
	Points [][2]float64 `json:"points"`
}

// Axis says what is drawn along it.
type Axis struct {
	Name string `json:"name"`
	Unit string `json:"unit,omitempty"`
	Log  bool   `json:"log,omitempty"` // a logarithmic scale serves
}

// Add adds a figure. What cannot be a number is left out: it was not measured.
func (r *Result) Add(name string, value float64, unit, says string) {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return
	}
	r.Figures = append(r.Figures, Figure{name, value, unit, says})
}

// Figure returns the figure of that name.
func (r *Result) Figure(name string) (Figure, bool) {
	i := slices.IndexFunc(r.Figures, func(f Figure) bool { return f.Name == name })
	if i < 0 {
		return Figure{}, false
	}
	return r.Figures[i], true
}

// Value is that figure's number; NaN if there is none.
func (r *Result) Value(name string) float64 {
	f, ok := r.Figure(name)
	if !ok {
		return math.NaN()
	}
	return f.Value
}

func (r *Result) Note(format string, values ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, values...))
}

func (r *Result) Fault(format string, values ...any) {
	r.Faults = append(r.Faults, fmt.Sprintf(format, values...))
}

// Table is what several results come to, side by side.
type Table struct {
	Title   string     `json:"title"`
	Columns []string   `json:"columns"` // the first names the rows
	Rows    [][]string `json:"rows"`
	Notes   []string   `json:"notes,omitempty"`
}

// Run is everything one command measured, and on what.
type Run struct {
	Environment Environment `json:"environment"`
	Tables      []Table     `json:"tables,omitempty"`
	Results     []Result    `json:"results"`
}

// Faults of all results, each with where it was found.
func (r *Run) Faults() []string {
	var all []string
	for _, one := range r.Results {
		if one.Reference {
			continue
		}
		for _, f := range one.Faults {
			all = append(all, fmt.Sprintf("%s %s: %s", one.Scenario, one.Server, f))
		}
	}
	return all
}
