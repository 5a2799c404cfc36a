package httpapi

import (
	"net/http"
	"net/http/pprof"
	"os"
	"strings"

	"ssedge/engine/refuse"
)

// handleProfiles serves Go's profiles, but the command line without its values, which may be
// secrets, and what takes long only to those who ask for it themselves.
func handleProfiles(mux *http.ServeMux) {
	mux.HandleFunc("GET /debug/pprof/", refuseOtherSites(pprof.Index))
	mux.HandleFunc("GET /debug/pprof/cmdline", func(w http.ResponseWriter, _ *http.Request) {
		writeBody(w, http.StatusOK, "text/plain; charset=utf-8",
			[]byte(strings.Join(withoutValues(os.Args), "\x00")))
	})
	mux.HandleFunc("GET /debug/pprof/profile", refuseOtherSites(pprof.Profile))
	mux.HandleFunc("GET /debug/pprof/trace", refuseOtherSites(pprof.Trace))
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("POST /debug/pprof/symbol", pprof.Symbol)
}

// withoutValues returns the program's name, its subcommand and the names of flags.
func withoutValues(args []string) (names []string) {
	for i, arg := range args {
		name, _, _ := strings.Cut(arg, "=")
		if i < 2 && len(names) == i || strings.HasPrefix(name, "-") {
			names = append(names, name)
		}
	}
	return names
}

// refuseOtherSites keeps a page from starting a profile in an operator's browser: one that takes
// seconds, or collects garbage, is not for browsers that do not say where a request comes from
// (Fetch Metadata: they do on this machine and over TLS).
func refuseOtherSites(serve http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		costs := strings.HasSuffix(r.URL.Path, "/profile") ||
			strings.HasSuffix(r.URL.Path, "/trace") || query.Has("seconds") || query.Has("gc")
		site := r.Header.Get("Sec-Fetch-Site")
		if costs &&
			(isOtherSite(site) || site == "" && strings.HasPrefix(r.UserAgent(), "Mozilla/")) {
			causeOrigin.Say("profiles cannot be started from a browser, where any page could do so. Use: go tool pprof http://%s%s",
				r.Host, r.URL.Path).Write(w, refuse.Where{})
			return
		}
		serve(w, r)
	}
}

// fromAnotherSite reports whether a page of another site makes a browser ask for something; a link
// that a user follows is not meant.
func fromAnotherSite(r *http.Request) bool {
	return isOtherSite(r.Header.Get("Sec-Fetch-Site")) &&
		r.Header.Get("Sec-Fetch-Mode") != "navigate"
}

func isOtherSite(site string) bool { return site != "" && site != "none" && site != "same-origin" }
