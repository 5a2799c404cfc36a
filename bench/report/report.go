// Package report writes what a run of the load tool came to into a directory: raw.json, which is
// the run, and index.html, which is one page for people, with plots. The page needs nothing beside
// it: no script, no font, no picture, no network.
//
//	page.html  how the page looks
//	page.go    what stands in it
//	plots.go   which curves share a plot, and the colour of each server
//	draw.go    one plot as SVG
//	axis.go    ranges, scales and what is written at ticks
//	points.go  what of a curve is drawn
package report

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"

	"ssedge/bench/result"
)

// Write makes the directory if there is none. Each of its two files is replaced as a whole or left
// as it was, and the raw one comes first: whatever goes wrong with a page, the numbers are there.
func Write(dir string, run *result.Run) error {
	measured := clean(run)
	raw, err := rawOf(measured)
	if err != nil {
		return fmt.Errorf("raw.json: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := replace(filepath.Join(dir, "raw.json"), raw); err != nil {
		return err
	}
	page, err := pageOf(measured)
	if err != nil {
		return fmt.Errorf("index.html: %w", err)
	}
	return replace(filepath.Join(dir, "index.html"), page)
}

// Page makes the page of a run anew, from the raw.json or the raw.json.gz (gzip) in its directory.
func Page(dir string) error {
	raw, err := readRaw(dir)
	if err != nil {
		return err
	}
	var run result.Run
	if err := json.Unmarshal(raw, &run); err != nil {
		return fmt.Errorf("%s: expected what --report writes: %w", filepath.Join(dir, "raw.json"),
			err)
	}
	page, err := pageOf(clean(&run))
	if err != nil {
		return fmt.Errorf("index.html: %w", err)
	}
	return replace(filepath.Join(dir, "index.html"), page)
}

func readRaw(dir string) ([]byte, error) {
	raw, err := os.ReadFile(filepath.Join(dir, "raw.json"))
	if !errors.Is(err, fs.ErrNotExist) {
		return raw, err
	}
	f, err := os.Open(filepath.Join(dir, "raw.json.gz"))
	if err != nil {
		return nil, fmt.Errorf("%s: expected raw.json or raw.json.gz in it", dir)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name(), err)
	}
	return io.ReadAll(z)
}

// Writable makes the directory if there is none, and says whether Write will be able to write
// there.
func Writable(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, name := range []string{"raw.json", "index.html"} {
		if i, err := os.Stat(filepath.Join(dir, name)); err == nil && !i.Mode().IsRegular() {
			return fmt.Errorf("%s: expected a file or nothing", filepath.Join(dir, name))
		}
	}
	f, err := os.CreateTemp(dir, ".ssedge-")
	if err != nil {
		return err
	}
	f.Close()
	return os.Remove(f.Name())
}

// JSON is a run as it is written to raw.json.
func JSON(run *result.Run) ([]byte, error) { return rawOf(clean(run)) }

// clean is a copy without numbers that are not finite: those were not measured, and JSON has no
// words for them.
func clean(run *result.Run) *result.Run {
	copied := *run
	copied.Results = slices.Clone(run.Results)
	for i := range copied.Results {
		r := &copied.Results[i]
		r.Figures = slices.DeleteFunc(slices.Clone(r.Figures), func(f result.Figure) bool {
			return !finite(f.Value)
		})
		r.Curves = slices.Clone(r.Curves)
		for j := range r.Curves {
			c := &r.Curves[j]
			c.Points = slices.DeleteFunc(slices.Clone(c.Points), func(p [2]float64) bool {
				return !finite(p[0]) || !finite(p[1])
			})
		}
	}
	return &copied
}

// rawOf is indented, for people and for diffs.
func rawOf(run *result.Run) ([]byte, error) {
	var out bytes.Buffer
	to := json.NewEncoder(&out)
	to.SetIndent("", " ")
	to.SetEscapeHTML(false)
	err := to.Encode(run)
	return out.Bytes(), err
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// replace writes beside the file and renames: a reader finds the old content or the new.
func replace(file string, content []byte) error {
	beside := file + ".new"
	if err := os.WriteFile(beside, content, 0o644); err != nil {
		os.Remove(beside)
		return err
	}
	if err := os.Rename(beside, file); err != nil {
		os.Remove(beside)
		return err
	}
	return nil
}
