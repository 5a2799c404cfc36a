package tuning

import (
	"fmt"
	"strconv"
	"strings"
)

// Scope is what a kernel setting belongs to.
type Scope string

const (
	OfHost Scope = "host" // one for all containers
	// each container with a network of its own has its own, and the defaults at first
	OfNamespace Scope = "network namespace"
)

// hostNet are the settings below net. that belong to the host: the first three are not to be seen
// from other network namespaces, the last is, and cannot be written.
var hostNet = map[string]bool{
	"net.core.netdev_max_backlog": true, "net.ipv4.tcp_mem": true, "net.ipv4.tcp_max_orphans": true,
	"net.netfilter.nf_conntrack_max": true,
}

func scope(name string) Scope {
	if strings.HasPrefix(name, "net.") && !hostNet[name] {
		return OfNamespace
	}
	return OfHost
}

// hides reports whether a setting that is not there is only not to be seen from this network
// namespace.
func (h *Host) hides(name string) bool {
	_, err := h.Sysctl("net.core.netdev_max_backlog")
	_, some := h.Sysctl("net.core.somaxconn")
	return hostNet[name] && name != "net.netfilter.nf_conntrack_max" && err != nil && some == nil
}

// safeSince is the version of Kubernetes since which any pod may set a setting of its network
// namespace (kubernetes.io/docs/tasks/administer-cluster/sysctl-cluster). Others are unsafe: the
// node's kubelet must allow them.
var safeSince = map[string]string{
	"net.ipv4.tcp_syncookies": "1.4", "net.ipv4.ip_local_port_range": "1.4",
	"net.ipv4.tcp_rmem": "1.32", "net.ipv4.tcp_wmem": "1.32",
	"net.ipv4.tcp_slow_start_after_idle": "1.37",
}

// engine is the command that runs a container like this one.
func (h *Host) engine() string {
	if h.Container == "podman" {
		return "podman"
	}
	return "docker"
}

// howSysctl says how to change a kernel setting: on the host, or in the forms of Docker and
// Kubernetes; where it is in doubt whether there is a container, in those of Docker and of the
// host.
func howSysctl(h *Host, name, value string) string {
	set := "sysctl -w " + name + "=" + strconv.Quote(value)
	switch {
	case h.Container == "":
		return set
	case scope(name) == OfHost:
		return fmt.Sprintf("on the host (Kubernetes: the node): %s; no container can", set)
	case h.Doubt:
		return fmt.Sprintf("%s run --sysctl %s=%s; if this is no container: %s", h.engine(), name,
			quoteBlank(value), set)
	}
	terms := "unsafe: the kubelet needs --allowed-unsafe-sysctls=" + name
	if since := safeSince[name]; since != "" {
		terms = "safe since Kubernetes " + since
		if since != "1.4" {
			terms += ", before that the kubelet needs --allowed-unsafe-sysctls=" + name
		}
	}
	return fmt.Sprintf("%s run --sysctl %s=%s; Kubernetes: securityContext: {sysctls: [{name: %s, value: %q}]} of the pod, %s",
		h.engine(), name, quoteBlank(value), name, value, terms)
}

// quoteBlank quotes a value of several numbers for a shell.
func quoteBlank(value string) string {
	if strings.Contains(value, " ") {
		return strconv.Quote(value)
	}
	return value
}

// howContained says how to change something: under a unit, in a container, or else.
func (h *Host) howContained(unit, docker, kubernetes, other string) string {
	if h.Unit != "" {
		other = fmt.Sprintf("systemctl edit %s: [Service] %s; then systemctl restart %s", h.Unit,
			unit, h.Unit)
	}
	switch {
	case h.Doubt:
		return fmt.Sprintf("%s run %s; if this is no container: %s", h.engine(), docker, other)
	case h.Container != "":
		return fmt.Sprintf("%s run %s; Kubernetes: %s", h.engine(), docker, kubernetes)
	}
	return other
}
