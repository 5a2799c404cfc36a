package result

import (
	"fmt"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/procfs"
)

// Environment is what a figure depends on besides the program.
type Environment struct {
	Date      string            `json:"date"`
	Command   string            `json:"command"`
	Version   string            `json:"version"` // of ssedge: a release, or the commit
	Go        string            `json:"go"`
	Kernel    string            `json:"kernel"`
	CPU       string            `json:"cpu"`
	Cores     int               `json:"cores"`
	Memory    string            `json:"memory"`
	OpenFiles uint64            `json:"open_files"` // RLIMIT_NOFILE
	Sysctl    map[string]string `json:"sysctl"`
}

var sysctls = []string{"net.core.somaxconn", "net.ipv4.tcp_max_syn_backlog", "net.ipv4.tcp_mem",
	"net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem",
	"net.ipv4.ip_local_port_range"}

// Describe reads this machine. args are the command line, without the program.
func Describe(version string, args []string) Environment {
	proc, _ := procfs.NewDefaultFS() // without it, all of it is unknown
	e := Environment{
		Date:    time.Now().UTC().Format(time.RFC3339),
		Command: "ssedge " + strings.Join(quoted(args), " "),
		Version: version,
		Go:      runtime.Version(),
		Kernel:  sysctl(proc, "kernel.osrelease"),
		CPU:     unknown,
		Cores:   runtime.NumCPU(),
		Memory:  unknown,
		Sysctl:  make(map[string]string),
	}
	if cpus, err := proc.CPUInfo(); err == nil && len(cpus) > 0 && cpus[0].ModelName != "" {
		e.CPU = cpus[0].ModelName
	}
	if memory, err := proc.Meminfo(); err == nil && memory.MemTotal != nil {
		e.Memory = fmt.Sprintf("%d kB", *memory.MemTotal)
	}
	for _, name := range sysctls {
		e.Sysctl[name] = sysctl(proc, name)
	}
	var files syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files) == nil {
		e.OpenFiles = files.Cur
	}
	return e
}

// quoted is the arguments as a shell takes them. Of every absolute path only the last element is
// kept: results are published, and must not show where they were made. What may be a secret is kept
// out too.
func quoted(args []string) []string {
	var out []string
	secret := false
	for _, arg := range args {
		name, value, found := strings.Cut(arg, "=")
		switch {
		case secret:
			arg, secret = "…", false
		case strings.HasPrefix(arg, "-") && strings.HasSuffix(name, "header"):
			if found {
				arg = name + "=…"
			}
			secret = !found
		case filepath.IsAbs(arg):
			arg = filepath.Base(arg)
		case found && strings.HasPrefix(arg, "-") && filepath.IsAbs(value):
			arg = name + "=" + filepath.Base(value)
		}
		arg = user.ReplaceAllString(arg, "://…@")
		if strings.ContainsAny(arg, " \t\"'{}&?*<>|;$") {
			arg = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
		}
		out = append(out, arg)
	}
	return out
}

// user is the user and the password in a URL.
var user = regexp.MustCompile(`://[^/@\s]*@`)

// unknown stands for what /proc does not say.
const unknown = "unknown"

func sysctl(proc procfs.FS, name string) string {
	words, err := proc.SysctlStrings(name)
	if err != nil {
		return unknown
	}
	return strings.Join(words, " ")
}
