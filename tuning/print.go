package tuning

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// WriteTable writes the findings for people: a table, and under it why and how for those that fall
// short.
func WriteTable(w io.Writer, findings []Finding) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\tSETTING\tNOW\tNEEDED\tWHY")
	for _, f := range findings {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", mark(f), f.Name, f.Now, f.Needed, f.Why)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	return writeHow(w, findings)
}

// writeHow writes how to change what is not in order, each with the names of the settings that it
// is for.
func writeHow(w io.Writer, findings []Finding) error {
	var hows []string
	names := map[string]string{}
	for _, f := range findings {
		if f.OK || f.How == "" {
			continue
		}
		if names[f.How] == "" {
			hows = append(hows, f.How)
			names[f.How] = f.Name
		} else {
			names[f.How] += ", " + f.Name
		}
	}
	heading := "\nTo change it:\n"
	for _, how := range hows {
		if _, err := fmt.Fprintf(w, "%s  %s: %s\n", heading, names[how], how); err != nil {
			return err
		}
		heading = ""
	}
	return nil
}

func mark(f Finding) string {
	switch {
	case f.OK:
		return "ok"
	case f.Advice:
		return "better"
	}
	return "SHORT"
}
