package observe

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

const stateListen = "0A"

// Listeners finds the processes of this machine that listen on a TCP port: all that hold such a socket, as nginx's
// workers do. It finds those that this user may look into.
func Listeners(port uint16) (Server, error) {
	inodes := make(map[string]bool)
	for _, file := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		f, err := os.Open(file)
		if err != nil {
			continue // no IPv6
		}
		for lines := bufio.NewScanner(f); lines.Scan(); {
			words := strings.Fields(lines.Text())
			if len(words) > 9 && words[3] == stateListen && strings.HasSuffix(words[1], fmt.Sprintf(":%04X", port)) {
				inodes["socket:["+words[9]+"]"] = true
			}
		}
		f.Close()
	}
	if len(inodes) == 0 {
		return nil, fmt.Errorf("nothing listens on port %d here", port)
	}
	var found Server
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	for _, dir := range processes {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err == nil && holds(dir+"/fd", inodes) {
			found = append(found, pid)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("the process that listens on port %d is another user's: its CPU and memory cannot be read", port)
	}
	return found, nil
}

// holds reports whether a directory of descriptors has one of the sockets. Listening sockets are opened early: a server
// with a million streams is not searched to its end.
func holds(dir string, sockets map[string]bool) bool {
	f, err := os.Open(dir)
	if err != nil {
		return false
	}
	defer f.Close()
	for seen := 0; seen < 20_000; {
		names, err := f.Readdirnames(1000)
		seen += len(names)
		for _, name := range names {
			if to, err := os.Readlink(dir + "/" + name); err == nil && sockets[to] {
				return true
			}
		}
		if err != nil {
			return false
		}
	}
	return false
}
