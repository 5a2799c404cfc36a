package tuning

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// WriteTable writes the findings for people: a table, and under it why and how for those that fall short.
func WriteTable(w io.Writer, findings []Finding) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\tSETTING\tNOW\tNEEDED\tWHY")
	for _, f := range findings {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", mark(f), f.Name, f.Now, f.Needed, f.Why)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	heading := "\nTo change it:\n"
	for _, f := range findings {
		if !f.OK && f.How != "" {
			if _, err := fmt.Fprintf(w, "%s  %s\n", heading, f.How); err != nil {
				return err
			}
			heading = ""
		}
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

// DropIn is a file for /etc/sysctl.d: every kernel setting that a load needs, with its reason. Values that a host has
// already stay if they are higher. Without a host (nil) those are left out that current kernels have by default.
func DropIn(h *Host, l Load) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Kernel settings for a host that holds %s streams with ssedge: ssedge tune --connections %d --sysctl\n", thousands(l.Connections), l.Connections)
	b.WriteString("# It belongs into /etc/sysctl.d/60-ssedge.conf; then: sysctl --system\n")
	fmt.Fprintf(&b, "# Besides, ssedge must be allowed %s open files: LimitNOFILE=%d in its unit, or ulimit -n.\n", thousands(files(l)), files(l))
	if h == nil {
		b.WriteString("# Where a host has a higher value already, that is better: ssedge tune --apply and tuning/apply.sh leave it.\n")
	}
	for i := range rules {
		r := &rules[i]
		now := r.usual
		if h != nil {
			var err error
			if now, err = h.Sysctl(r.name); err != nil {
				continue
			}
		}
		if !r.matters(h, l) {
			fmt.Fprintf(&b, "\n# %s is left alone: %s\n# (%s)\n", r.name, r.spare(h, l), r.source)
			continue
		}
		value, ok := r.raised(now, l)
		fmt.Fprintf(&b, "\n# %s\n# (%s)\n", r.why(l), r.source)
		if h == nil && ok {
			fmt.Fprintf(&b, "# %s needs %s, and is %s by default.\n", r.name, join(r.needs(l)), r.usual)
		} else {
			fmt.Fprintf(&b, "%s = %s\n", r.name, value)
		}
	}
	return b.String()
}
