package report

import (
	"fmt"
	"html/template"
	"slices"

	"ssedge/bench/result"
)

// drawing is a plot as the page shows it.
type drawing struct {
	Title string
	Key   []server // empty if the run has one server: it stands above its results
	SVG   template.HTML
	Says  string // what is not in the picture
}

// server is an entry of the key. A server has the same ink in all plots of a page.
type server struct {
	Name string
	Ink  lineStyle
}

// group is the curves that share a plot. Only the same scenario's do: with the same title another
// one measures under other conditions. Other axes would not fit.
type group struct {
	scenario, title string
	x, y            result.Axis
}

// drawings draws all curves, in the order in which they come.
func drawings(run *result.Run) []drawing {
	var order []group
	curves := make(map[group][]result.Curve)
	scenarios := make(map[string][]string) // by title
	var servers []string
	for _, r := range run.Results {
		for _, c := range r.Curves {
			if c.Title == "" && len(c.Points) == 0 {
				continue // one that was never begun
			}
			if c.Server == "" {
				c.Server = r.Server
			}
			g := group{r.Scenario, c.Title, c.X, c.Y}
			if curves[g] == nil {
				order = append(order, g)
			}
			curves[g] = append(curves[g], c)
			servers = distinct(servers, c.Server)
			scenarios[c.Title] = distinct(scenarios[c.Title], r.Scenario)
		}
	}
	var all []drawing
	for _, g := range order {
		d := drawingOf(g, curves[g], servers)
		if len(scenarios[g.title]) > 1 {
			d.Title = g.scenario + ": " + d.Title
		}
		all = append(all, d)
	}
	return all
}

// drawingOf draws one plot. Its key names the servers that are in it in the order in which servers
// come in the run.
func drawingOf(g group, curves []result.Curve, servers []string) drawing {
	d := drawing{Title: g.title}
	p := picture{x: g.x, y: g.y, alt: g.title}
	p.percentiles = percentiles(g, curves)
	if p.percentiles {
		g.y.Log = false
	}
	omitted := 0
	for i, name := range servers {
		found := false
		for _, c := range curves {
			if c.Server != name {
				continue
			}
			points, without := drawable(c.Points, g.x, g.y)
			omitted += without
			found = true
			if len(points) > 0 {
				p.lines = append(p.lines,
					line{lineStyle(i), thin(points), len(points) <= glyphsMax})
			}
		}
		if found {
			d.Key = append(d.Key, server{name, lineStyle(i)})
		}
	}
	if len(servers) == 1 {
		d.Key = nil
	}
	if omitted > 0 {
		d.Says = fmt.Sprintf("Points at 0 or below have no place on a logarithmic axis: %s.",
			result.Format(float64(omitted), ""))
	}
	if len(p.lines) == 0 {
		d.Says = "No points to draw. " + d.Says
		return d
	}
	d.SVG = p.svg()
	return d
}

// percentiles reports whether curves are distributions: they rise to 100 %, or near, along what is
// best seen on a logarithmic axis.
func percentiles(g group, curves []result.Curve) bool {
	if g.y.Unit != result.Percent || !g.x.Log {
		return false
	}
	highest := 0.0
	for _, c := range curves {
		points, _ := drawable(c.Points, g.x, result.Axis{})
		if !rising(points) || len(points) > 0 && points[0][1] < 0 {
			return false
		}
		if len(points) > 0 {
			highest = max(highest, points[len(points)-1][1])
		}
	}
	return highest >= 99 && highest <= 100
}

func distinct(names []string, name string) []string {
	if slices.Contains(names, name) {
		return names
	}
	return append(names, name)
}
