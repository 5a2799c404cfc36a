package result

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"
)

// Format writes a value for people: three significant digits, thousands apart, bytes in the unit
// that fits.
func Format(value float64, unit string) string {
	if unit == Bytes {
		for _, larger := range []string{"KiB", "MiB", "GiB"} {
			if math.Abs(value) < 1<<10 {
				break
			}
			value, unit = value/(1<<10), larger
		}
	}
	text := digits(value)
	switch unit {
	case "":
		return text
	case Percent:
		return text + " %"
	}
	return text + " " + unit
}

func digits(value float64) string {
	size := math.Abs(value)
	if value == math.Trunc(value) || size >= 100 {
		return thousands(strconv.FormatFloat(math.Round(value), 'f', 0, 64))
	}
	places := 2 - int(math.Floor(math.Log10(size)))
	return strconv.FormatFloat(value, 'f', min(places, 6), 64)
}

func thousands(text string) string {
	sign := ""
	if strings.HasPrefix(text, "-") {
		sign, text = "-", text[1:]
	}
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return sign + text
}

// WriteText prints a result: a line per figure, then what must be known with them, then what is
// wrong.
func (r *Result) WriteText(w io.Writer) error {
	state := ""
	if r.Interrupted {
		state = ", interrupted"
	}
	fmt.Fprintf(w, "%s  %s  (%.1f s%s)\n", r.Scenario, r.Server, r.Seconds, state)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range r.Figures {
		fmt.Fprintf(table, "  %s\t%s\t%s\n", f.Name, Format(f.Value, f.Unit), f.Says)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, n := range r.Notes {
		fmt.Fprintf(w, "  note: %s\n", n)
	}
	word := "FAULT"
	if r.Reference {
		word = "fault, of what is compared with"
	}
	for _, f := range r.Faults {
		fmt.Fprintf(w, "  %s: %s\n", word, f)
	}
	_, err := fmt.Fprintln(w)
	return err
}

// WriteText prints a table with its columns aligned.
func (t *Table) WriteText(w io.Writer) error {
	fmt.Fprintln(w, t.Title)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "  %s\n", strings.Join(t.Columns, "\t"))
	for _, row := range t.Rows {
		fmt.Fprintf(table, "  %s\n", strings.Join(row, "\t"))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, n := range t.Notes {
		fmt.Fprintf(w, "  %s\n", n)
	}
	_, err := fmt.Fprintln(w)
	return err
}
