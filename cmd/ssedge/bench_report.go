package main

import (
	"fmt"
	"os"
	"path/filepath"

	"ssedge/bench/report"
)

type benchReport struct {
	Dir string `arg:"" help:"Directory of the run, as --report named it."`
}

func (c *benchReport) Run() error {
	if err := report.Page(c.Dir); err != nil {
		return err
	}
	_, err := fmt.Fprintln(os.Stdout, filepath.Join(c.Dir, "index.html"))
	return err
}
