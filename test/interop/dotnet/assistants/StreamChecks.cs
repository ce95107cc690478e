using OpenAI.Assistants;
using static OpenAI.Assistants.StreamingUpdateReason;

namespace Threadkeep.Interop;

/// <summary>Streams that run to a good end.</summary>
public static class StreamChecks
{
    public static void AddTo(Checks checks, App app)
    {
        checks.Add("streams: every update of a run, in order, and the text word by word", () => CompleteAsync(app));
        checks.Add("streams: a thread and its run in one call", () => ThreadAsync(app));
        checks.Add("streams: updates carry the objects as they are then", () => ObjectsAsync(app));
        checks.Add("streams: a long answer with every kind of character", () => LongAsync(app));
        checks.Add("streams: an answer without any text", () => EmptyAsync(app));
        checks.Add("streams: 20 at a time of one client, each with its own answer", () => ManyAsync(app));
        checks.Add("streams: a client that leaves finds the answer later", () => LeaveAsync(app));
    }

    private static async Task CompleteAsync(App app)
    {
        var talk = await Conversation.StartAsync(app, new { text = new[] { "Be", "cause ", "of", " it." } });
        var updates = await talk.StreamAsync().ToListAsync();
        StreamingUpdateReason[] expected =
        [
            RunCreated, RunQueued, RunInProgress, RunStepCreated, RunStepInProgress, MessageCreated, MessageInProgress,
            MessageUpdated, MessageUpdated, MessageUpdated, MessageUpdated, MessageCompleted,
            RunStepCompleted, RunCompleted,
        ];
        Checks.Same(expected, updates.Select(update => update.UpdateKind), "updates");
        var texts = updates.OfType<MessageContentUpdate>().Select(update => update.Text);
        Checks.Same(["Be", "cause ", "of", " it."], texts, "pieces");
        Checks.Same(["Because of it.", "Why?"], await talk.TextsAsync(), "texts");
    }

    private static async Task ThreadAsync(App app)
    {
        var talk = await Conversation.StartAsync(app, new { text = "Because." });
        var creation = new ThreadCreationOptions
        {
            InitialMessages = { new(MessageRole.User, ["Who?"]) },
            Metadata = { ["a"] = "1" },
        };
        var updates = await Clients.StreamThreadAsync(talk.Client, talk.Assistant.Id, creation).ToListAsync();
        Checks.Equal((ThreadCreated, RunCompleted), (updates[0].UpdateKind, updates[^1].UpdateKind), "first and last");
        var thread = updates.OfType<ThreadUpdate>().Single();
        Checks.Same(["a=1"], thread.Metadata.Select(AssistantChecks.Pair), "metadata");
        Checks.Equal("Because.", ToolChecks.Text(updates), "text");
        Checks.Equal(2, await talk.Client.GetMessagesAsync(thread.Id).CountAsync(), "messages");
    }

    private static async Task ObjectsAsync(App app)
    {
        var talk = await Conversation.StartAsync(app, new { text = "Because." });
        var updates = await talk.StreamAsync().ToListAsync();
        RunStatus[] statuses = [RunStatus.Queued, RunStatus.Queued, RunStatus.InProgress, RunStatus.Completed];
        var runs = updates.OfType<RunUpdate>().Select(update => update.Value).ToList();
        Checks.Same(statuses, runs.Select(run => run.Status), "statuses of the run");
        Checks.That(runs[^1].Usage.TotalTokenCount > 0, "no usage");
        var steps = updates.OfType<RunStepUpdate>().Select(update => update.Value.Status);
        Checks.Same([RunStepStatus.InProgress, RunStepStatus.InProgress, RunStepStatus.Completed], steps, "steps");
        var messages = updates.OfType<MessageStatusUpdate>().Select(update => update.Value).ToList();
        Checks.Same([0, 0, 1], messages.Select(message => message.Content.Count), "parts of the message");
        Checks.Equal("Because.", messages[^1].Content[0].Text, "text of the message");
        Checks.Equal(MessageStatus.Completed, messages[^1].Status, "status of the message");
        var pieces = updates.OfType<MessageContentUpdate>().ToList();
        Checks.Same([messages[^1].Id], pieces.Select(piece => piece.MessageId).Distinct(), "message of the pieces");
        Checks.Same([0], pieces.Select(piece => piece.MessageIndex).Distinct(), "part of the pieces");
        ThreadRun read = await talk.Client.GetRunAsync(talk.Thread.Id, runs[0].Id);
        Checks.Equal(RunStatus.Completed, read.Status, "status of the run, read by its id");
        Checks.Equal(runs[^1].CompletedAt, read.CompletedAt, "time of the run's end, read by its id");
    }

    private static async Task LongAsync(App app)
    {
        const string Odd = "é 雪 👩‍🚀 \" \\ \r\n data: x\n\n";
        var pieces = Enumerable.Range(0, 2000).Select(number => $"{number} {Odd}").ToArray();
        var talk = await Conversation.StartAsync(app, new { text = pieces });
        var updates = await talk.StreamAsync().ToListAsync();
        Checks.Equal(string.Concat(pieces), ToolChecks.Text(updates), "text");
        Checks.Equal(string.Concat(pieces), (await talk.TextsAsync())[0], "stored text");
    }

    private static async Task EmptyAsync(App app)
    {
        var talk = await Conversation.StartAsync(app, new { text = "" });
        var updates = await talk.StreamAsync().ToListAsync();
        Checks.Equal(RunCompleted, updates[^1].UpdateKind, "last update");
        Checks.Equal("", ToolChecks.Text(updates), "text");
    }

    private static async Task ManyAsync(App app)
    {
        var client = app.NewClient();
        var answers = Enumerable.Range(0, 20).Select(async number =>
        {
            var talk = await Conversation.StartAsync(app, client, new { text = $"Answer {number}.", tokenMs = 5 });
            return ToolChecks.Text(await talk.StreamAsync().ToListAsync());
        });
        var expected = Enumerable.Range(0, 20).Select(number => $"Answer {number}.");
        Checks.Same(expected, await Task.WhenAll(answers), "answers");
    }

    private static async Task LeaveAsync(App app)
    {
        var talk = await Conversation.StartAsync(app, Conversation.Slowly(30));
        await foreach (var update in talk.StreamAsync()) if (update.UpdateKind == MessageUpdated) break;
        var run = await talk.Client.GetRunsAsync(talk.Thread.Id).SingleAsync();
        Checks.Equal(RunStatus.Completed, (await talk.SettledAsync(run)).Status, "status");
        var answer = (await talk.TextsAsync())[0];
        Checks.That(answer.StartsWith("word0 ") && answer.EndsWith("word29 "), answer);
    }
}
