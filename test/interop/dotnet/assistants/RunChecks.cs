using System.ClientModel;
using System.ClientModel.Primitives;
using System.Text.Json;
using OpenAI.Assistants;

namespace Threadkeep.Interop;

/// <summary>Runs that a client polls.</summary>
public static class RunChecks
{
    public static void AddTo(Checks checks, App app)
    {
        checks.Add("runs: from queued to completed, with an answer, a step and usage", () => CompleteAsync(app));
        checks.Add("runs: every option is shown, and reaches the model", () => OptionsAsync(app));
        checks.Add("runs: a thread and its run in one call", () => ThreadAndRunAsync(app));
        checks.Add("runs: a change of metadata stays", () => ModifyAsync(app));
        checks.Add("runs: cancelled while it answers", () => CancelAsync(app));
        checks.Add("runs: a model that refuses fails the run, with a code and a text", () => FailAsync(app));
        checks.Add("runs: an answer that is cut off is incomplete", () => IncompleteAsync(app));
        checks.Add("runs: one that waits for outputs for too long expires", () => ExpireAsync(app));
        checks.Add("runs: 20 at a time of one client, each with its own answer", () => ManyAsync(app));
    }

    private static async Task CompleteAsync(App app)
    {
        var talk = await Conversation.StartAsync(app, new { text = "Because." });
        var created = await talk.RunAsync();
        Checks.Equal(RunStatus.Queued, created.Status, "first status");
        Checks.That(created.ExpiresAt > created.CreatedAt, "no time of expiry");
        var run = await talk.SettledAsync(created);
        Checks.Equal((RunStatus.Completed, null), (run.Status, run.LastError), "status");
        Checks.Equal((talk.Thread.Id, talk.Assistant.Id), (run.ThreadId, run.AssistantId), "ids");
        Checks.That(run.StartedAt is not null && run.CompletedAt >= run.StartedAt, "no times");
        Checks.That(run.Usage.OutputTokenCount > 0 && run.Usage.InputTokenCount > 0, "no usage");
        Checks.Equal(run.Usage.InputTokenCount + run.Usage.OutputTokenCount, run.Usage.TotalTokenCount, "total usage");
        var answer = (await talk.Client.GetMessagesAsync(talk.Thread.Id).ToListAsync())[0];
        Checks.Equal(("Because.", MessageRole.Assistant), (answer.Content.Single().Text, answer.Role), "answer");
        Checks.Equal((run.Id, talk.Assistant.Id), (answer.RunId, answer.AssistantId), "ids of the answer");
        var step = (await talk.Client.GetRunStepsAsync(talk.Thread.Id, run.Id).ToListAsync()).Single();
        Checks.Equal((RunStepKind.CreatedMessage, RunStepStatus.Completed), (step.Kind, step.Status), "step");
        Checks.Equal(answer.Id, step.Details.CreatedMessageId, "message of the step");
        RunStep read = await talk.Client.GetRunStepAsync(talk.Thread.Id, run.Id, step.Id);
        Checks.Equal(step.Id, read.Id, "step, read by its id");
        Checks.Equal(run.Usage.TotalTokenCount, read.Usage.TotalTokenCount, "usage of the step");
    }

    private static async Task OptionsAsync(App app)
    {
        var talk = await Conversation.StartAsync(app);
        var model = app.NewModel();
        await model.SayAsync(new { text = "{}" });
        var options = new RunCreationOptions
        {
            ModelOverride = model.Name,
            InstructionsOverride = "Be long.",
            AdditionalInstructions = "Be kind.",
            AdditionalMessages = { new(MessageRole.User, ["And when?"]) },
            AllowParallelToolCalls = false,
            ToolsOverride = { ToolDefinition.CreateFunction("clock") },
            Metadata = { ["kind"] = "test" },
            Temperature = 0.25f,
            NucleusSamplingFactor = 0.75f,
            MaxInputTokenCount = 5000,
            MaxOutputTokenCount = 700,
            TruncationStrategy = RunTruncationStrategy.CreateLastMessagesStrategy(5),
            ToolConstraint = ToolConstraint.None,
            ResponseFormat = AssistantResponseFormat.JsonObject,
        };
        var run = await talk.SettledAsync(await talk.RunAsync(options));
        Checks.Equal((RunStatus.Completed, model.Name), (run.Status, run.Model), "status and model");
        Checks.That(run.Instructions.StartsWith("Be long.") && run.Instructions.EndsWith("Be kind."), run.Instructions);
        Checks.Equal((5000, 700), (run.MaxInputTokenCount, run.MaxOutputTokenCount), "budgets");
        Checks.Equal((0.25f, 0.75f), (run.Temperature, run.NucleusSamplingFactor), "sampling");
        Checks.Equal(false, run.AllowParallelToolCalls, "parallel calls");
        Checks.Equal(5, run.TruncationStrategy.LastMessages, "last messages");
        Checks.Equal("\"none\"", ModelReaderWriter.Write(run.ToolConstraint).ToString(), "tool choice");
        Checks.Equal(AssistantResponseFormat.JsonObject, run.ResponseFormat, "response format");
        Checks.Equal("clock", run.Tools.OfType<FunctionToolDefinition>().Single().FunctionName, "tool");
        Checks.Same(["kind=test"], run.Metadata.Select(AssistantChecks.Pair), "metadata");
        Checks.Same(["{}", "And when?", "Why?"], await talk.TextsAsync(), "texts");
        var request = (await model.RequestsAsync()).Single();
        Checks.Equal("And when?", LastText(request), "the model's last message");
        Checks.Equal((0.25, 0.75), (Number(request, "temperature"), Number(request, "top_p")), "the model's sampling");
    }

    private static double Number(JsonElement request, string name) => request.GetProperty(name).GetDouble();

    private static string? LastText(JsonElement request)
    {
        var content = request.GetProperty("messages").EnumerateArray().Last().GetProperty("content");
        var text = content.ValueKind == JsonValueKind.String ? content : content[0].GetProperty("text");
        return text.GetString();
    }

    private static async Task ThreadAndRunAsync(App app)
    {
        var talk = await Conversation.StartAsync(app, new { text = "Because." });
        var creation = new ThreadCreationOptions
        {
            InitialMessages = { new(MessageRole.User, ["Who?"]) },
            Metadata = { ["of"] = "thread" },
        };
        var options = new RunCreationOptions { Metadata = { ["of"] = "run" } };
        ThreadRun run = await talk.Client.CreateThreadAndRunAsync(talk.Assistant.Id, creation, options);
        run = await talk.SettledAsync(run);
        Checks.Equal(RunStatus.Completed, run.Status, "status");
        Checks.Same(["of=run"], run.Metadata.Select(AssistantChecks.Pair), "metadata of the run");
        AssistantThread thread = await talk.Client.GetThreadAsync(run.ThreadId);
        Checks.Same(["of=thread"], thread.Metadata.Select(AssistantChecks.Pair), "metadata of the thread");
        var messages = await talk.Client.GetMessagesAsync(run.ThreadId).ToListAsync();
        Checks.Same(["Because.", "Who?"], messages.Select(each => each.Content.Single().Text), "texts");
    }

    /// <summary>The libraries have no typed call for this.</summary>
    private static async Task ModifyAsync(App app)
    {
        var talk = await Conversation.StartAsync(app, new { text = "Because." });
        var run = await talk.SettledAsync(await talk.RunAsync());
        var change = BinaryContent.Create(BinaryData.FromString("""{"metadata":{"seen":"yes"}}"""));
        await talk.Client.ModifyRunAsync(talk.Thread.Id, run.Id, change);
        run = await talk.Client.GetRunAsync(talk.Thread.Id, run.Id);
        Checks.Same(["seen=yes"], run.Metadata.Select(AssistantChecks.Pair), "metadata");
    }

    private static async Task CancelAsync(App app)
    {
        var talk = await Conversation.StartAsync(app, Conversation.Slowly());
        var run = await talk.RunAsync();
        await Checks.UntilAsync(async () => (await talk.Model.RequestsAsync()).Count == 1);
        run = await talk.Client.CancelRunAsync(talk.Thread.Id, run.Id);
        RunStatus[] expected = [RunStatus.Cancelling, RunStatus.Cancelled];
        Checks.That(expected.Contains(run.Status), $"the status is {run.Status}");
        run = await talk.SettledAsync(run);
        Checks.Equal(RunStatus.Cancelled, run.Status, "status");
        Checks.That(run.CancelledAt is not null, "no time of the end");
        await talk.Client.CreateMessageAsync(talk.Thread.Id, MessageRole.User, ["Never mind."]);
    }

    private static async Task FailAsync(App app)
    {
        var talk = await Conversation.StartAsync(app, new { status = 400, error = new { message = "No, thanks." } });
        var run = await talk.SettledAsync(await talk.RunAsync());
        Checks.Equal(RunStatus.Failed, run.Status, "status");
        Checks.That(run.LastError.Message.Length > 0 && run.FailedAt is not null, "no error");
        Checks.Equal(RunErrorCode.InvalidPrompt, run.LastError.Code, "code");
    }

    private static async Task IncompleteAsync(App app)
    {
        var talk = await Conversation.StartAsync(app, new { text = "Becau", finishReason = "length" });
        var run = await talk.SettledAsync(await talk.RunAsync(new RunCreationOptions { MaxOutputTokenCount = 300 }));
        Checks.Equal(RunStatus.Incomplete, run.Status, "status");
        Checks.Equal(RunIncompleteReason.MaxOutputTokenCount, run.IncompleteDetails.Reason, "reason");
        var answer = (await talk.Client.GetMessagesAsync(talk.Thread.Id).ToListAsync())[0];
        Checks.Equal((MessageStatus.Incomplete, "Becau"), (answer.Status, answer.Content.Single().Text), "answer");
        Checks.Equal(MessageFailureReason.MaxTokens, answer.IncompleteDetails.Reason, "reason of the answer");
    }

    private static async Task ExpireAsync(App app)
    {
        var client = Clients.Connect(app.At.Brief, app.NewKey());
        var talk = await Conversation.StartAsync(app, client, Conversation.CallWeather("Oslo"));
        var run = await talk.SettledAsync(await talk.RunAsync());
        Checks.Equal(RunStatus.RequiresAction, run.Status, "status before");
        await Checks.UntilAsync(async () =>
        {
            ThreadRun read = await client.GetRunAsync(run.ThreadId, run.Id);
            return read.Status == RunStatus.Expired;
        });
        var step = (await client.GetRunStepsAsync(run.ThreadId, run.Id).ToListAsync()).Single();
        Checks.Equal(RunStepStatus.Expired, step.Status, "status of the step");
    }

    private static async Task ManyAsync(App app)
    {
        var client = app.NewClient();
        var answers = Enumerable.Range(0, 20).Select(async number =>
        {
            var talk = await Conversation.StartAsync(app, client, new { text = $"Answer {number}." });
            await talk.SettledAsync(await talk.RunAsync());
            return (await talk.TextsAsync())[0];
        });
        var expected = Enumerable.Range(0, 20).Select(number => $"Answer {number}.");
        Checks.Same(expected, await Task.WhenAll(answers), "answers");
    }
}
