package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// ticksPerSecond is USER_HZ, which Linux fixes at 100 on every architecture Go runs on.
const ticksPerSecond = 100

// cpu is the user and system time of all threads, dead ones too (proc(5), /proc/pid/stat, fields 14 and 15). It
// advances in steps of 10 ms.
func (c *child) cpu() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.cmd.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("%v: %w; it said:\n%s", c.spec, err, c.said)
	}
	return parseStat(text)
}

func parseStat(text []byte) (time.Duration, error) {
	// The second field is the program's name in parentheses and may contain anything.
	_, after, found := bytes.Cut(text[max(0, bytes.LastIndexByte(text, ')')):], []byte(")"))
	fields := strings.Fields(string(after))
	if !found || len(fields) < 13 {
		return 0, fmt.Errorf("expected the fields of /proc/pid/stat, found %q", text)
	}
	var ticks int64
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("expected clock ticks in /proc/pid/stat, found %q", field)
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / ticksPerSecond, nil
}

// footprint is the memory of a process in bytes (proc(5), /proc/pid/smaps_rollup).
type footprint struct {
	PSS     int64 `json:"pss"`
	PSSAnon int64 `json:"pss_anon"`
	RSS     int64 `json:"rss"`
}

func (c *child) memory() (footprint, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", c.cmd.Process.Pid))
	if err != nil {
		return footprint{}, fmt.Errorf("%v: %w; it said:\n%s", c.spec, err, c.said)
	}
	return parseRollup(text)
}

func parseRollup(text []byte) (footprint, error) {
	var f footprint
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ":")
		to := map[string]*int64{"Pss": &f.PSS, "Pss_Anon": &f.PSSAnon, "Rss": &f.RSS}[name]
		if to == nil {
			continue
		}
		kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(value, "kB")), 10, 64)
		if err != nil {
			return f, fmt.Errorf("expected kB in smaps_rollup, found %q", lines.Text())
		}
		*to = kib << 10
	}
	if f.PSS == 0 {
		return f, fmt.Errorf("expected a line Pss in smaps_rollup, found none")
	}
	return f, nil
}
