using System.Text.Json.Nodes;
using OpenAI.Assistants;

namespace Threadkeep.Interop;

/// <summary>Functions that the model calls and the client answers.</summary>
public static class ToolChecks
{
    public static void AddTo(Checks checks, App app)
    {
        checks.Add("tools: a run waits for two calls, takes their outputs and completes", () => PolledAsync(app));
        checks.Add("tools: two rounds in one run", () => RoundsAsync(app));
        checks.Add("tools: a run that waits for outputs is cancelled", () => CancelAsync(app));
        checks.Add("tools: a streamed run pauses for two calls, and a second stream goes on", () => StreamedAsync(app));
        checks.Add("tools: calls come in pieces that add up to the call", () => PiecesAsync(app));
        checks.Add("tools: a constraint to one function reaches the model", () => ConstraintAsync(app));
    }

    private static async Task PolledAsync(App app)
    {
        var calling = Conversation.CallWeather("Oslo", "Rome");
        var talk = await Conversation.StartAsync(app, calling, new { text = "Sunny." });
        var run = await talk.SettledAsync(await talk.RunAsync());
        Checks.Equal(RunStatus.RequiresAction, run.Status, "status");
        Checks.Same(["weather", "weather"], run.RequiredActions.Select(action => action.FunctionName), "functions");
        Checks.That(run.RequiredActions[1].FunctionArguments.Contains("Rome"), "other arguments");
        var outputs = Conversation.OutputsFor(run);
        run = await talk.Client.SubmitToolOutputsToRunAsync(talk.Thread.Id, run.Id, outputs);
        run = await talk.SettledAsync(run);
        Checks.Equal((RunStatus.Completed, 0), (run.Status, run.RequiredActions?.Count ?? 0), "status and calls");
        Checks.Same(["Sunny.", "Why?"], await talk.TextsAsync(), "texts");
        var steps = await talk.Client.GetRunStepsAsync(talk.Thread.Id, run.Id).ToListAsync();
        Checks.Same([RunStepKind.CreatedMessage, RunStepKind.ToolCall], steps.Select(step => step.Kind), "steps");
        var calls = steps[1].Details.ToolCalls;
        Checks.Same(outputs.Select(output => output.ToolCallId), calls.Select(call => call.Id), "ids of the calls");
        Checks.Same(["sunny in Oslo", "sunny in Rome"], calls.Select(call => call.FunctionOutput), "outputs");
        var request = (await talk.Model.RequestsAsync())[1].ToString();
        Checks.That(request.Contains("sunny in Oslo") && request.Contains("sunny in Rome"), "the model got no outputs");
    }

    private static async Task RoundsAsync(App app)
    {
        var (first, second) = (Conversation.CallWeather("Oslo"), Conversation.CallWeather("Rome"));
        var talk = await Conversation.StartAsync(app, first, second, new { text = "Sunny." });
        var run = await talk.RunAsync();
        var arguments = new List<string>();
        while ((run = await talk.SettledAsync(run)).Status == RunStatus.RequiresAction)
        {
            arguments.AddRange(run.RequiredActions.Select(action => action.FunctionArguments));
            run = await talk.Client.SubmitToolOutputsToRunAsync(talk.Thread.Id, run.Id, Conversation.OutputsFor(run));
        }
        Checks.Equal(RunStatus.Completed, run.Status, "status");
        var places = arguments.Select(json => JsonNode.Parse(json)?["place"]?.GetValue<string>());
        Checks.Same(["Oslo", "Rome"], places, "places");
    }

    private static async Task CancelAsync(App app)
    {
        var talk = await Conversation.StartAsync(app, Conversation.CallWeather("Oslo"));
        var run = await talk.SettledAsync(await talk.RunAsync());
        await talk.Client.CancelRunAsync(talk.Thread.Id, run.Id);
        run = await talk.SettledAsync(await talk.Client.GetRunAsync(talk.Thread.Id, run.Id));
        Checks.Equal(RunStatus.Cancelled, run.Status, "status");
        var step = (await talk.Client.GetRunStepsAsync(talk.Thread.Id, run.Id).ToListAsync()).Single();
        Checks.Equal(RunStepStatus.Cancelled, step.Status, "status of the step");
    }

    private static async Task StreamedAsync(App app)
    {
        var calling = Conversation.CallWeather("Oslo", "Rome");
        var talk = await Conversation.StartAsync(app, calling, new { text = "All sunny." });
        var first = await talk.StreamAsync().ToListAsync();
        var actions = first.OfType<RequiredActionUpdate>().ToList();
        Checks.Same(["weather", "weather"], actions.Select(action => action.FunctionName), "functions");
        var run = actions[0].GetThreadRun();
        Checks.Equal(RunStatus.RequiresAction, run.Status, "status");
        var outputs = Conversation.OutputsFor(actions.Select(action => (action.ToolCallId, action.FunctionArguments)));
        var second = await Clients.StreamOutputsAsync(talk.Client, run, outputs).ToListAsync();
        Checks.Equal("All sunny.", Text(second), "text");
        Checks.Equal(StreamingUpdateReason.RunCompleted, second[^1].UpdateKind, "last update");
        foreach (var kind in new[] { StreamingUpdateReason.RunStepCompleted, StreamingUpdateReason.MessageCompleted })
            Checks.That(second.Any(update => update.UpdateKind == kind), $"no {kind}");
    }

    private static async Task PiecesAsync(App app)
    {
        var arguments = """{"place":"Reykjavík"}""";
        var pieces = new[] { arguments[..4], arguments[4..12], arguments[12..] };
        var call = new { toolCalls = new[] { new { name = "weather", arguments, pieces } } };
        var talk = await Conversation.StartAsync(app, call);
        var updates = await talk.StreamAsync().ToListAsync();
        var details = updates.OfType<RunStepDetailsUpdate>().ToList();
        Checks.Equal(arguments, string.Concat(details.Select(update => update.FunctionArguments)), "arguments");
        var names = details.Select(update => update.FunctionName).Where(name => name is not null);
        Checks.Same(["weather"], names, "names");
        var action = updates.OfType<RequiredActionUpdate>().Single();
        var ids = details.Select(update => update.ToolCallId).Where(id => id is not null);
        Checks.Same([action.ToolCallId], ids, "ids");
        Checks.Equal(arguments, action.FunctionArguments, "arguments of the action");
    }

    private static async Task ConstraintAsync(App app)
    {
        var talk = await Conversation.StartAsync(app, Conversation.CallWeather("Oslo"));
        var constraint = new ToolConstraint(Conversation.Weather);
        var run = await talk.SettledAsync(await talk.RunAsync(new RunCreationOptions { ToolConstraint = constraint }));
        Checks.Equal(RunStatus.RequiresAction, run.Status, "status");
        var choice = (await talk.Model.RequestsAsync()).Single().GetProperty("tool_choice");
        Checks.Equal("weather", choice.GetProperty("function").GetProperty("name").GetString(), "choice");
    }

    public static string Text(IEnumerable<StreamingUpdate> updates) =>
        string.Concat(updates.OfType<MessageContentUpdate>().Select(update => update.Text));
}
