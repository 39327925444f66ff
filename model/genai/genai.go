// Package genai is the words in which telemetry speaks of models, agents and
// tools: those of OpenTelemetry's conventions for generative AI, in one place,
// so that traces, metrics and logs use the same and a new release of the
// conventions is one file to change.
//
//	a run's log, a model's calls ──> traces, metrics, logs
//	                                    │ gen_ai.operation.name = chat
//	                                    │ gen_ai.request.model  = gpt-4.1-mini
//	                                    └ error.type            = 429
//
// Neither the log of a run nor its store depends on these names.
package genai

// Version is the release of the conventions that the names are taken from:
// open-telemetry/semantic-conventions-genai, in development.
const Version = "0.1.0"

// Operations, the values of [OperationName].
const (
	Chat           = "chat"            // one reply of a model, with all its attempts
	ExecuteTool    = "execute_tool"    // one call of a tool
	InvokeAgent    = "invoke_agent"    // one agent answering one message
	InvokeWorkflow = "invoke_workflow" // a whole run
)

// Attributes of spans.
const (
	OperationName    = "gen_ai.operation.name"
	ProviderName     = "gen_ai.provider.name"
	AgentName        = "gen_ai.agent.name"
	RequestModel     = "gen_ai.request.model"
	ResponseModel    = "gen_ai.response.model"
	ResponseID       = "gen_ai.response.id"
	FinishReasons    = "gen_ai.response.finish_reasons"
	InputTokens      = "gen_ai.usage.input_tokens"
	OutputTokens     = "gen_ai.usage.output_tokens"
	CacheReadTokens  = "gen_ai.usage.cache_read.input_tokens" // of the input tokens
	ToolName         = "gen_ai.tool.name"
	ToolType         = "gen_ai.tool.type"
	ToolCallID       = "gen_ai.tool.call.id"
	ServerAddress    = "server.address"
	ServerPort       = "server.port"
	ErrorType        = "error.type"
	InputMessages    = "gen_ai.input.messages"  // content: only where it is asked for
	OutputMessages   = "gen_ai.output.messages" // content
	ToolCallArgument = "gen_ai.tool.call.arguments"
	ToolCallResult   = "gen_ai.tool.call.result"
)

// Attributes of our own: what the conventions have no name for.
const (
	RunID      = "mars.run.id"
	RunStatus  = "mars.run.status"
	RunAttempt = "mars.run.attempt" // times that the run was started
	PathID     = "mars.path.id"     // of the message, such as 1.3.2
	Dataset    = "mars.dataset"
	Scenario   = "mars.scenario"
	Attempts   = "mars.attempts" // calls that one reply took
	Cached     = "mars.cached"   // answered by a cache of replies: nothing was paid
)

// Metrics, as Prometheus writes the names of the conventions: dots are
// underscores, the unit and _total stand at the end.
const (
	InferenceDuration   = "gen_ai_client_inference_duration_seconds"
	InputTokensMetric   = "gen_ai_client_inference_usage_input_tokens_total"
	OutputTokensMetric  = "gen_ai_client_inference_usage_output_tokens_total"
	CacheReadMetric     = "gen_ai_client_inference_usage_cache_read_input_tokens_total"
	ExecuteToolDuration = "gen_ai_execute_tool_duration_seconds"
	InvokeAgentDuration = "gen_ai_invoke_agent_duration_seconds"
)

// DurationBuckets are the bounds of the histograms of durations, in seconds, as
// the conventions give them.
func DurationBuckets() []float64 {
	return []float64{0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92}
}
