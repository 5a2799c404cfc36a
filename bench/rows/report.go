package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// report prints a line per result and keeps the raw measurements behind it.
type report struct {
	stdout io.Writer
	file   string // raw.json; empty: not written
	raw    struct {
		Environment environment `json:"environment"`
		Trials      []trialRow  `json:"trials"`
		Results     []resultRow `json:"results"`
	}
}

// trialRow is one measurement of one server; Measured has the fields of its row.
type trialRow struct {
	Row      string `json:"row"`
	Server   string `json:"server"`
	Round    int    `json:"round"`
	Measured any    `json:"measured"`
}

// resultRow is what the trials come to, as a line and as numbers.
type resultRow struct {
	Row    string `json:"row"`
	Server string `json:"server"`
	Line   string `json:"line"`
	Values any    `json:"values"`
}

func newReport(ctx context.Context, stdout io.Writer, s settings, args []string) (*report, error) {
	r := &report{stdout: stdout}
	r.raw.Environment = describe(ctx, s, args)
	r.raw.Trials, r.raw.Results = []trialRow{}, []resultRow{}
	if s.out == "" {
		return r, nil
	}
	if err := os.MkdirAll(s.out, 0o755); err != nil {
		return nil, err
	}
	r.file = filepath.Join(s.out, "raw.json")
	return r, r.write()
}

func (r *report) trial(row string, s spec, round int, measured any) error {
	r.raw.Trials = append(r.raw.Trials, trialRow{row, s.String(), round, measured})
	return r.write()
}

func (r *report) result(row, server string, values any, format string, parts ...any) error {
	text := fmt.Sprintf(format, parts...)
	fmt.Fprintf(r.stdout, "%-10s %-18s %s\n", row, server, text)
	r.raw.Results = append(r.raw.Results, resultRow{row, server, text, values})
	return r.write()
}

// write replaces the file each time, so that what was measured survives whatever comes after.
func (r *report) write() error {
	if r.file == "" {
		return nil
	}
	text, err := json.MarshalIndent(r.raw, "", " ")
	if err != nil {
		return err
	}
	next := r.file + ".new"
	if err := os.WriteFile(next, append(text, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(next, r.file)
}
