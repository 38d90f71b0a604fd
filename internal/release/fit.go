package release

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Misfit is a setting with which the frontend cannot work with the server, and the value that it should have.
type Misfit struct {
	Trap
	Value string
}

// Misfits compares what frontend and server get, by upper-case names; origin is the frontend's, as browsers see it
// (contract.md, sections 6 and 7).
func (r Release) Misfits(server, frontend map[string]string, origin string) []Misfit {
	var list []Misfit
	if problem := r.CheckSetting(apiAddress, r.valueOf(frontend, apiAddress)); problem != nil {
		return append(list, Misfit{Trap{apiAddress, problem.Error(), true}, r.APIAddress(strings.Trim(frontend[apiAddress], `"' `))})
	}
	s, has := r.Setting(uiProvider)
	if provider, known := r.Provider(server); has && known && provider.UIValue != "" && r.valueOf(frontend, uiProvider) != provider.UIValue {
		list = append(list, Misfit{Trap{uiProvider, fmt.Sprintf("%s is not %s: the login form does not fit the server's provider", s.Name, provider.UIValue), true}, provider.UIValue})
	}
	if api, err := url.Parse(frontend[apiAddress]); err != nil || api.Host == "" || api.Scheme+"://"+api.Host == origin {
		return list
	}
	wanted, err := r.CORS(origin)
	if err != nil {
		return list
	}
	for _, want := range wanted {
		if misfit, found := r.corsMisfit(server, want); found {
			list = append(list, misfit)
		}
	}
	return list
}

// valueOf returns a setting of an environment, or its default.
func (r Release) valueOf(env map[string]string, name string) string {
	if value, given := env[name]; given {
		return value
	}
	s, _ := r.Setting(name)
	return s.Default
}

// corsMisfit compares one setting with what a frontend on another origin needs. What a server may say more is not looked at.
func (r Release) corsMisfit(server map[string]string, want Value) (Misfit, bool) {
	value, what := r.valueOf(server, want.Name), strings.TrimPrefix(want.Name, corsSection)
	if what == "ALLOW_CREDENTIALS" {
		on, valid := parseBool(value)
		return Misfit{Trap{want.Name, want.Name + " is not true: the frontend sends credentials, and browsers do not show it the answers", true}, "true"}, valid && !on
	}
	var has []string
	if what == "EXPOSE_HEADERS" || json.Unmarshal([]byte(value), &has) != nil || what == "ALLOW_ORIGINS" && server[corsSection+"ALLOW_ORIGIN_REGEX"] != "" {
		return Misfit{}, false
	}
	needs, anyDoes := listOf(want.Value), true
	switch what {
	case "ALLOW_HEADERS":
		needs = []string{"Authorization"}
	case "ALLOW_ORIGINS":
		anyDoes = !r.from("0.2.5") // a request with credentials needs the very origin
	}
	var lacks []string
	for _, item := range needs {
		if !slices.ContainsFunc(has, func(h string) bool { return strings.EqualFold(h, item) || h == "*" && anyDoes }) {
			lacks = append(lacks, item)
		}
	}
	has = slices.DeleteFunc(has, func(h string) bool { return h == "*" })
	mended, err := marshalList(append(has, lacks...))
	if err != nil || len(lacks) == 0 {
		return Misfit{}, false
	}
	fatal := what != "ALLOW_ORIGINS" || len(has) == 0 // the frontend may have another address than is known here
	return Misfit{Trap{want.Name, fmt.Sprintf("%s does not hold %s: browsers refuse the frontend the server's answers", want.Name, strings.Join(lacks, ", ")), fatal}, mended}, true
}
