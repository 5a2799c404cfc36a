package httpapi

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"ssedge/engine/fanin"
	"ssedge/engine/refuse"
	"ssedge/proto/rule"
)

// AdminConfig is what the admin listener needs. All fields must be set.
type AdminConfig struct {
	Ready    func() error // nil: ready; else why not
	Degraded func() error // nil: nothing is missing; else what
	Metrics  func(io.Writer)
	Source   fanin.Source // for /admin/edges and /admin/topics
	Status   func() any   // for /admin/status, as JSON
	Rule     rule.Limits  // of the names of topics
	Local    bool         // the listener is this machine's: no other Host is served
}

// scrapeTimeout is how long a scraper may take to read the metrics.
const scrapeTimeout = 30 * time.Second

const adminIndex = `/metrics        for Prometheus
/healthz        200 while the process runs
/readyz         200 if new streams should come here, else 503
/admin/status   what this node is and holds, as JSON
/admin/edges    all edges that share topics with this one
/admin/topics   subscribers of topics on all of them: ?topic=a&topic=b, or ?limit=100 of those with the most
/debug/pprof/   profiles
`

// topicsLimit is how many topics are listed if the request does not say, topicsLimitMax how many at
// most.
const (
	topicsLimit    = 100
	topicsLimitMax = 10_000
)

// writeAnswer writes what others have to be asked for.
func writeAnswer(w http.ResponseWriter, r *http.Request, ask func(context.Context) (any, error)) {
	ctx, cancel := context.WithTimeout(r.Context(), scrapeTimeout)
	defer cancel()
	http.NewResponseController(w).SetWriteDeadline(time.Now().Add(2 * scrapeTimeout))
	said, err := ask(ctx)
	if err != nil {
		causeUnavailable.Say("%s", err).Write(w, refuse.Where{})
		return
	}
	writeJSON(w, http.StatusOK, said)
}

// topicsQuery reads the query of /admin/topics. Unknown parameters are refused: if a misspelt
// "topic" were ignored, the answer would be a list of other topics.
func topicsQuery(r *http.Request) (names []string, limit int, _ *refuse.Answer) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, 0, causeBadQuery.Say("the query cannot be read: %v", err)
	}
	for key := range query {
		if key != "topic" && key != "limit" {
			return nil, 0, causeBadQuery.Say("expected topic and limit in the query, found %.40q",
				key)
		}
	}
	limit = topicsLimit
	if text := query.Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > topicsLimitMax {
			return nil, 0,
				causeBadQuery.Say("expected limit to be a number of 1 to %d, found %.40q",
					topicsLimitMax, text)
		}
	}
	return query["topic"], limit, nil
}

// isNormalPath reports whether a path is spelt as ServeMux would normalize it. Other spellings are
// refused because proxies that deny by path compare it as it is sent.
func isNormalPath(sent string) bool {
	clean := path.Clean(sent)
	return sent == "" || !strings.Contains(sent, "%") && (sent == clean || sent == clean+"/")
}

// NewAdmin makes the handler of the admin listener. It has no access control: the
// listener belongs on an address that only operators reach.
func NewAdmin(c AdminConfig) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		writeBody(w, http.StatusOK, "text/plain; charset=utf-8", []byte("ok\n"))
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := c.Ready(); err != nil {
			writeBody(w, http.StatusServiceUnavailable, "text/plain; charset=utf-8",
				[]byte(err.Error()+"\n"))
			return
		}
		text := "ready\n"
		if err := c.Degraded(); err != nil {
			text = "ready, degraded: " + err.Error() + "\n"
		}
		writeBody(w, http.StatusOK, "text/plain; charset=utf-8", []byte(text))
	})
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		http.NewResponseController(w).SetWriteDeadline(time.Now().Add(scrapeTimeout))
		c.Metrics(w)
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		writeBody(w, http.StatusOK, "text/plain; charset=utf-8", []byte(adminIndex))
	})
	mux.HandleFunc("GET /admin/status", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, c.Status())
	})
	mux.HandleFunc("GET /admin/edges", func(w http.ResponseWriter, r *http.Request) {
		writeAnswer(w, r, func(ctx context.Context) (any, error) { return c.Source.Edges(ctx) })
	})
	mux.HandleFunc("GET /admin/topics", func(w http.ResponseWriter, r *http.Request) {
		names, limit, p := topicsQuery(r)
		if p != nil {
			p.Write(w, refuse.Where{})
			return
		}
		for _, name := range names { // as JSON, another name would be answered
			if err := c.Rule.Topic([]byte(name)); err != nil {
				causeBadTopic.Say("%s", err).Write(w, refuse.Where{})
				return
			}
		}
		writeAnswer(w, r, func(ctx context.Context) (any, error) {
			return c.Source.TopicCounts(ctx, names, limit)
		})
	})
	handleProfiles(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c.Local && !localHost(r) {
			notLocal.Write(w, refuse.Where{})
			return
		}
		if fromAnotherSite(r) {
			causeOrigin.Say("requests that pages of other sites make are refused").
				Write(w, refuse.Where{})
			return
		}
		if !isNormalPath(r.URL.EscapedPath()) {
			causeNotFound.Say("expected a path without escapes and dot segments").
				Write(w, refuse.Where{})
			return
		}
		mux.ServeHTTP(w, r)
	})
}
