// Package progress shows how far a scenario is: a bar on a terminal, elsewhere only what a run
// waits for in vain.
package progress

import (
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
)

// Bar shows one stage at a time. Its methods may be called from any goroutine.
type Bar struct {
	to    *os.File // nil: no terminal
	notes *os.File

	mu  sync.Mutex
	bar *progressbar.ProgressBar
}

// New returns a bar on a file that is a terminal; on any other it shows only notes.
func New(to *os.File) *Bar {
	notes := to
	if info, err := to.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		to = nil
	}
	return &Bar{to: to, notes: notes}
}

// Stage begins a stage of total steps; 0 if their number is not known.
func (b *Bar) Stage(name string, total int) {
	if b.to == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.end()
	if total == 0 {
		total = -1
	}
	b.bar = progressbar.NewOptions(total, progressbar.OptionSetWriter(b.to),
		progressbar.OptionSetDescription(name), progressbar.OptionSetWidth(30),
		progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish(),
		progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(true))
	b.bar.RenderBlank()
}

// At says how many steps are done.
func (b *Bar) At(done int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bar != nil {
		b.bar.Set(min(done, max(b.bar.GetMax(), 0)))
	}
}

// Note prints a line, terminal or not.
func (b *Bar) Note(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	erase := ""
	if b.bar != nil {
		// in the same write as the text: a bar without a total draws from a goroutine of its own
		erase = "\r\x1b[K"
	}
	fmt.Fprintf(b.notes, "%sssedge: %s\n", erase, text)
}

// Close takes the bar away.
func (b *Bar) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.end()
}

func (b *Bar) end() {
	if b.bar != nil {
		b.bar.Finish() // Exit would leave the goroutine of a bar without a total drawing
		b.bar = nil
	}
}
