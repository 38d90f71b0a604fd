package release

// Kinds of values, written as in the fixture of the tests.
const (
	Text       Type = "str"
	Bool       Type = "bool"
	Int        Type = "int"
	URL        Type = "url"
	Path       Type = "path"
	Enum       Type = "enum"
	ImportPath Type = "import path"
	CommaText  Type = "comma-separated str"
	Jinja      Type = "str (Jinja)"
	List       Type = "list[str]"
	Set        Type = "set[str]"
	Dict       Type = "dict"
	TextDict   Type = "dict[str,str]"
	Object     Type = "object"
	Any        Type = "any"
)

// Groups of components that read a setting.
const (
	inServer    = "S"
	inScheduler = "C"
	inWorker    = "W"
	inFrontend  = "F"
	inServices  = "SCW"
	inAll       = "SCWM"
)

// none stands for a setting without a default in the table.
const none = "\x00"

// entry is a setting over all releases. Its Setting is that of the newest release that reads it; was tells what
// differed before.
type entry struct {
	Setting
	readers string // letters of the components
	since   string // first release, empty: before 0.2.0
	until   string // last release, empty: still read
	was     []earlier
}

// earlier is how a setting was up to a release, from the one before in the list on; zero fields are as in the entry.
type earlier struct {
	until    string
	readers  string
	def      string
	required bool
}

func setting(name string, t Type, def, readers, help string) entry {
	return entry{Setting: Setting{Name: name, Type: t, Default: def, Help: help}, readers: readers}
}

func secretSetting(name, readers, help string) entry {
	e := setting(name, Text, none, readers, help)
	e.Secret = true
	return e
}

func (e entry) when(c Condition) entry       { e.Required, e.When = true, c; return e }
func (e entry) wanted(c Condition) entry     { e.When = c; return e }
func (e entry) must() entry                  { return e.when(Always) }
func (e entry) from(version string) entry    { e.since = version; return e }
func (e entry) until030(now string) entry    { e.until, e.RenamedTo = "0.2.5", now; return e } // 0.3.0 gave it another name
func (e entry) of(values ...string) entry    { e.Values = values; return e }
func (e entry) orNull() entry                { e.Nullable = true; return e }
func (e entry) caveat(text string) entry     { e.Caveat = text; return e }
func (e entry) before(list ...earlier) entry { e.was = list; return e }
func (e entry) cookie(old, text string) []entry { // a cookie setting moved from server.session to auth.cookie in 0.3.0
	was := e
	e.Name, was.Name = cookieSection+e.Name, sessionSection+old
	e.since, e.Help, was.Help = "0.3.0", text, text
	if len(was.Values) > 0 { // the old class took any text
		was.Type, was.Values = Text, nil
	}
	return []entry{was.until030(e.Name), e}
}

const (
	prefix         = "SYNCMASTER__"
	serverSection  = prefix + "SERVER__"
	corsSection    = serverSection + "CORS__"
	metricsSection = serverSection + "MONITORING__"
	openapiSection = serverSection + "OPENAPI__"
	sessionSection = serverSection + "SESSION__"
	authSection    = prefix + "AUTH__"
	cookieSection  = authSection + "COOKIE__"
	tokenSection   = authSection + "ACCESS_TOKEN__"
	kcSection      = authSection + "KEYCLOAK__"
	loggingSection = prefix + "LOGGING__"
	workerSection  = prefix + "WORKER__"
	hwmSection     = prefix + "HWM_STORE__"

	schedulerSection = prefix + "SCHEDULER__"
	uiSection        = prefix + "UI__"
)

// table holds each setting once, in the order in which it is written into a file (releases.json; contract.md, 2).
var table = concat(
	[]entry{
		secretSetting(prefix+"DATABASE__URL", inAll, "PostgreSQL, as postgresql+asyncpg://user:password@host:port/database").must().
			caveat("TLS options of one PostgreSQL driver break the other; use variables such as PGSSLMODE"),
		secretSetting(prefix+"BROKER__URL", inServices, "RabbitMQ, as amqp://user:password@host:port/vhost").must().
			before(earlier{until: "0.2.5", readers: inAll}),
		secretSetting(prefix+"ENCRYPTION__SECRET_KEY", inServices, "Fernet key for stored credentials; without it they are lost").must().
			before(earlier{until: "0.2.5", readers: inAll}),

		setting(loggingSection+"SETUP", Bool, "true", inAll, "Set up logging at start").until030(logging),
		setting(loggingSection+"PRESET", Enum, "plain", inAll, "Form of log lines").of("json", "plain", "colored").until030(logging),
		setting(loggingSection+"CUSTOM_CONFIG_PATH", Path, none, inAll, "YAML file in dictConfig form, overrides the preset").until030(logging),
		setting(logging, Object, none, inAll, "Logging in dictConfig form").from("0.3.0").
			caveat("whatever is given replaces the built-in logging as a whole"),

		setting(serverSection+"DEBUG", Bool, "false", inServer, "Error details in responses; not for production"),
		setting(serverSection+"REQUEST_ID__ENABLED", Bool, "true", inServer, "Give each request an id"),
		setting(serverSection+"REQUEST_ID__HEADER_NAME", Text, "X-Request-ID", inServer, "Response header of that id"),
		setting(serverSection+"REQUEST_ID__UPDATE_REQUEST_HEADER", Bool, "false", inServer, "Always replace the incoming id"),
	},

	[]entry{
		secretSetting(sessionSection+"SECRET_KEY", "SM", "Signs the session cookie").must().until030(cookieSection + "SECRET_KEY"),
		secretSetting(cookieSection+"SECRET_KEY", inServer, "Signs the session cookie").when(WithKeycloak).from("0.3.0"),
	},
	setting("NAME", Text, "session", inServer, "").cookie("SESSION_COOKIE", "Name of the session cookie"),
	setting("MAX_AGE", Int, "1209600", inServer, "").orNull().cookie("MAX_AGE", "Seconds that the session cookie lives"),
	setting("SAME_SITE", Enum, "lax", inServer, "").of("strict", "lax", "none").cookie("SAME_SITE", "SameSite of the session cookie"),
	setting("PATH", Text, "/", inServer, "").cookie("PATH", "Path of the session cookie"),
	setting("HTTPS_ONLY", Bool, "false", inServer, "").cookie("HTTPS_ONLY", "Send the session cookie over HTTPS only"),
	setting("DOMAIN", Text, none, inServer, "").orNull().cookie("DOMAIN", "Domain of the session cookie"),

	[]entry{
		setting(corsSection+"ENABLED", Bool, "true", inServer, "").caveat("has no effect in any release"),
		setting(corsSection+"ALLOW_ORIGINS", List, "[]", inServer, "Origins of frontends that are not the server's own").wanted(CrossOrigin),
		setting(corsSection+"ALLOW_CREDENTIALS", Bool, "false", inServer, "Allow requests with credentials").wanted(CrossOriginSession),
		setting(corsSection+"ALLOW_METHODS", List, `["GET"]`, inServer, "HTTP methods that a frontend elsewhere may use").wanted(CrossOrigin),
		setting(corsSection+"ALLOW_HEADERS", List, `["X-Request-ID","X-Request-With"]`, inServer, "Headers that a frontend elsewhere may send").wanted(CrossOrigin),
		setting(corsSection+"EXPOSE_HEADERS", List, `["X-Request-ID"]`, inServer, "Headers that a frontend elsewhere may read"),

		setting(metricsSection+"ENABLED", Bool, "true", inServer, "Serve /monitoring/metrics"),
		setting(metricsSection+"LABELS", TextDict, "{}", inServer, "Labels added to every metric"),
		setting(metricsSection+"SKIP_PATHS", Set, "[]", inServer, "Paths without metrics, besides ping and metrics"),
		setting(metricsSection+"SKIP_METHODS", Set, `["OPTIONS"]`, inServer, "HTTP methods without metrics"),
		setting(metricsSection+"GROUP_PATHS", Bool, "true", inServer, "Metrics by route, not by path"),
		setting(metricsSection+"FILTER_UNHANDLED_PATHS", Bool, "true", inServer, "Metrics of known routes only"),

		setting(openapiSection+"ENABLED", Bool, "true", inServer, "Serve /openapi.json"),
		setting(openapiSection+"SWAGGER__ENABLED", Bool, "true", inServer, "Serve /docs"),
		setting(openapiSection+"SWAGGER__JS_URL", Text, "/static/swagger/swagger-ui-bundle.js", inServer, "Script of /docs"),
		setting(openapiSection+"SWAGGER__CSS_URL", Text, "/static/swagger/swagger-ui.css", inServer, "Style of /docs"),
		setting(openapiSection+"SWAGGER__EXTRA_PARAMETERS", Dict, "{}", inServer, "Further Swagger options"),
		setting(openapiSection+"REDOC__ENABLED", Bool, "true", inServer, "Serve /redoc"),
		setting(openapiSection+"REDOC__JS_URL", Text, "/static/redoc/redoc.standalone.js", inServer, "Script of /redoc"),
		setting(openapiSection+"LOGO__URL", Text, "/static/logo.svg", inServer, "Logo of the API pages"),
		setting(openapiSection+"LOGO__BACKGROUND_COLOR", Text, "ffffff", inServer, "Background of the logo"),
		setting(openapiSection+"LOGO__ALT_TEXT", Text, "Syncmaster logo", inServer, "Text in place of the logo").orNull(),
		setting(openapiSection+"LOGO__HREF", URL, "https://github.com/MobileTeleSystems/syncmaster", inServer, "Where the logo leads").orNull(),
		setting(openapiSection+"FAVICON__URL", Text, "/static/icon.svg", inServer, "Icon of the API pages"),
		setting(serverSection+"STATIC_FILES__ENABLED", Bool, "true", inServer, "Serve /static"),
		setting(serverSection+"STATIC_FILES__DIRECTORY", Path, "/app/syncmaster/server/static", inServer, "Folder of /static, in the container; it must exist"),

		setting(providerSetting, ImportPath, providerPackage+"dummy_provider.DummyAuthProvider", inServer, "Login provider; the default accepts any password"),
		secretSetting(tokenSection+"SECRET_KEY", inServer, "Signs access tokens").when(WithDummy),
		setting(tokenSection+"SECURITY_ALGORITHM", Text, "HS256", inServer, "Signature of access tokens"),
		setting(tokenSection+"EXPIRE_SECONDS", Int, "36000", inServer, "Seconds that an access token is valid"),

		setting(kcSection+"SERVER_URL", Text, none, inServer, "Address of Keycloak, with its trailing slash").when(WithKeycloak).until030(kcSection + "API_URL"),
		setting(kcSection+"API_URL", URL, none, inServer, "Address of Keycloak, for server and browser").when(WithKeycloakOrGateway).from("0.3.0"),
		setting(kcSection+"REALM_NAME", Text, none, inServer, "Keycloak realm").when(WithKeycloakOrGateway),
		setting(kcSection+"CLIENT_ID", Text, none, inServer, "Keycloak client").when(WithKeycloakOrGateway),
		secretSetting(kcSection+"CLIENT_SECRET", inServer, "Secret of the Keycloak client").when(WithKeycloakOrGateway),
		setting(kcSection+"REDIRECT_URI", Text, none, inServer, "Where Keycloak sends the browser after login").when(WithKeycloak).until030(kcSection + "UI_CALLBACK_URL"),
		setting(kcSection+"UI_CALLBACK_URL", Text, none, inServer, "The frontend's page /auth/callback").when(WithKeycloak).from("0.3.0"),
		setting(kcSection+"VERIFY_SSL", Bool, "true", inServer, "Verify the certificate of Keycloak"),
		setting(kcSection+"SCOPE", Text, "openid", inServer, "OpenID scope"),

		setting(prefix+"ENTRYPOINT__SUPERUSERS", CommaText, none, inServer, "Users who become superusers at start").until030(prefix + "SUPERUSERS"),
		setting(prefix+"SUPERUSERS", List, "[]", inServer, "Users who become superusers at start").from("0.3.0"),

		setting(schedulerSection+"TRANSFER_FETCHING_TIMEOUT_SECONDS", Int, "180", inScheduler, "Seconds between looks at the transfers"),
		setting(schedulerSection+"MISFIRE_GRACE_TIME_SECONDS", Int, "300", inScheduler, "Seconds by which a start may be late before it is dropped"),

		setting(workerObject, Object, none, inWorker, "The worker's section; {} is enough").must().from("0.3.0"),
		setting(workerSection+"LOG_URL_TEMPLATE", Jinja, "", inWorker, "Address of a run's log, from run and correlation_id"),
		setting(workerSection+"CREATE_SPARK_SESSION_FUNCTION", ImportPath, "syncmaster.worker.spark.get_worker_spark_session", inWorker, "Function that makes the Spark session").
			caveat("from 0.3.0 the function gets one more argument, settings"),
		setting(workerSection+"SPARK_SESSION_DEFAULT_CONFIG", Dict, "{}", inWorker, "Spark options of every run").from("0.3.0"),

		setting(hwmSection+"ENABLED", Bool, "false", inWorker, "Store high water marks; needed for incremental transfers").
			caveat("every run contacts the store, so an unreachable one fails all runs"),
		setting(hwmSection+"TYPE", Enum, none, inWorker, "Kind of store").of("horizon").when(WithHWMStore),
		setting(hwmSection+"URL", Text, none, inWorker, "Address of Horizon").when(WithHWMStore),
		setting(hwmSection+"USER", Text, none, inWorker, "User of Horizon").when(WithHWMStore),
		secretSetting(hwmSection+"PASSWORD", inWorker, "Password of Horizon").when(WithHWMStore),
		setting(hwmSection+"NAMESPACE", Text, none, inWorker, "Namespace in Horizon, made on demand").when(WithHWMStore),

		setting(apiAddress, Text, "http://localhost:8000", inFrontend, "Address of the server as browsers see it").
			before(earlier{until: "0.2.3", required: true}, earlier{until: "0.2.4", def: "http://localhost:8000/v1", required: true}),
		setting(uiProvider, Enum, "dummyAuthProvider", inFrontend, "Login form; must fit the server's provider").
			of("dummyAuthProvider", "keycloakAuthProvider").from("0.2.5"),

		setting("PROMETHEUS_MULTIPROC_DIR", Path, none, inServer, "Folder for metrics of several server processes, a tmpfs"),
		setting("TZ", Text, "UTC", inScheduler, "Time zone of the transfers' schedules"),
		setting("SYNCMASTER_CONFIG_FILE", Path, "/app/config.yml", "SCWMF", "YAML file with settings; the environment wins over it").from("0.3.0"),
	},
)

// Names that rules refer to.
const (
	logging         = prefix + "LOGGING"
	workerObject    = prefix + "WORKER"
	providerSetting = authSection + "PROVIDER"
	apiAddress      = uiSection + "API_BROWSER_URL"
	uiProvider      = uiSection + "AUTH_PROVIDER"
)

// section is an open part of the settings: names in it that the table lacks are kept and handed to a library.
type section struct {
	prefix, caveat string
	readers        string
	since, until   string
	names          []string // only these and what is below them; nil: any
	takes          []string // what the library behind it knows; with another name the server does not start; nil: anything
}

// sections that are open (contract.md, section 2, "How it is read" and trap 7).
var sections = []section{
	{prefix: prefix + "DATABASE__", readers: inServer, caveat: "handed to SQLAlchemy by the server alone",
		takes: []string{"ASYNC_CREATOR", "CONNECT_ARGS", "CREATOR", "ECHO", "ECHO_POOL", "ENABLE_FROM_LINTING", "EXECUTION_OPTIONS", "FUTURE",
			"HIDE_PARAMETERS", "IMPLICIT_RETURNING", "INSERTMANYVALUES_PAGE_SIZE", "ISOLATION_LEVEL", "JSON_DESERIALIZER", "JSON_SERIALIZER",
			"LABEL_LENGTH", "LOGGING_NAME", "MAX_IDENTIFIER_LENGTH", "MAX_OVERFLOW", "MODULE", "PARAMSTYLE", "PLUGINS", "POOL", "POOLCLASS",
			"POOL_LOGGING_NAME", "POOL_PRE_PING", "POOL_RECYCLE", "POOL_RESET_ON_RETURN", "POOL_SIZE", "POOL_TIMEOUT", "POOL_USE_LIFO",
			"QUERY_CACHE_SIZE", "SKIP_AUTOCOMMIT_ROLLBACK", "USE_INSERTMANYVALUES"}},
	{prefix: prefix + "BROKER__", readers: inServices, caveat: "accepted, but without effect in any release: only the URL counts"},
	{prefix: corsSection, readers: inServer, caveat: "handed to Starlette's CORSMiddleware",
		takes: []string{"ALLOW_ORIGIN_REGEX", "ALLOW_PRIVATE_NETWORK", "MAX_AGE"}},
	{prefix: metricsSection, readers: inServer, caveat: "handed to the metrics middleware",
		takes: []string{"ALWAYS_USE_INT_STATUS", "APP_NAME", "BUCKETS", "EXEMPLARS", "GROUP_UNHANDLED_PATHS", "LABELS", "OPTIONAL_METRICS", "PREFIX"}},
	{prefix: sessionSection, readers: inServer, until: "0.2.5", caveat: "handed to Starlette's SessionMiddleware", takes: []string{}},
	{prefix: loggingSection, readers: inAll, since: "0.3.0", caveat: "whatever is given replaces the built-in logging as a whole",
		names: []string{"VERSION", "FORMATTERS", "FILTERS", "HANDLERS", "LOGGERS", "ROOT", "INCREMENTAL", "DISABLE_EXISTING_LOGGERS"}},
}

func concat(lists ...[]entry) []entry {
	var all []entry
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}
