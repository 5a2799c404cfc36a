package main

import (
	"bufio"
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// environment is what a figure depends on besides the program.
type environment struct {
	Date          string            `json:"date"`
	CPU           string            `json:"cpu"`
	Cores         int               `json:"cores"`
	MemoryKB      string            `json:"memory"`
	Kernel        string            `json:"kernel"`
	OpenFiles     uint64            `json:"open_files"`
	Sysctl        map[string]string `json:"sysctl"`
	Go            string            `json:"go"`
	Compiler      string            `json:"c_compiler"`
	Commit        string            `json:"commit"`
	Command       string            `json:"command"`
	ClientThreads int               `json:"client_threads"`
	Servers       string            `json:"servers"`
}

var sysctls = []string{"net.core.somaxconn", "net.ipv4.tcp_max_syn_backlog", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem", "net.ipv4.ip_local_port_range"}

func describe(ctx context.Context, s settings, args []string) environment {
	e := environment{
		Date:  time.Now().UTC().Format(time.RFC3339),
		Cores: runtime.NumCPU(), Go: runtime.Version(),
		CPU:      fieldOf("/proc/cpuinfo", "model name"),
		MemoryKB: fieldOf("/proc/meminfo", "MemTotal"),
		Kernel:   contentOf("/proc/sys/kernel/osrelease"),
		Compiler: "none", Commit: "unknown",
		Command:       "go run ./bench/rows " + strings.Join(withoutDirectories(args), " "),
		ClientThreads: s.clientThreads, Servers: s.servers,
		Sysctl: make(map[string]string),
	}
	for _, name := range sysctls {
		e.Sysctl[name] = contentOf("/proc/sys/" + strings.ReplaceAll(name, ".", "/"))
	}
	var files syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files) == nil {
		e.OpenFiles = files.Cur
	}
	if text, err := output(ctx, "gcc", "--version"); err == nil {
		e.Compiler, _, _ = strings.Cut(text, "\n")
	}
	if text, err := output(ctx, "git", "describe", "--always", "--dirty", "--abbrev=12"); err == nil {
		e.Commit = text
	}
	return e
}

// withoutDirectories keeps of every absolute path its last element: results are published, where they were made is
// nobody's business.
func withoutDirectories(args []string) []string {
	var kept []string
	for _, arg := range args {
		name, value, found := strings.Cut(arg, "=")
		switch {
		case filepath.IsAbs(arg):
			arg = filepath.Base(arg)
		case found && filepath.IsAbs(value):
			arg = name + "=" + filepath.Base(value)
		}
		kept = append(kept, arg)
	}
	return kept
}

func contentOf(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(text)), " ")
}

// fieldOf is the value of the first line "name : value" of a file.
func fieldOf(file, name string) string {
	f, err := os.Open(file)
	if err != nil {
		return "unknown"
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if key, value, found := strings.Cut(lines.Text(), ":"); found && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}
