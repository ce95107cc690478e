using OpenAI.Assistants;
using static OpenAI.Assistants.StreamingUpdateReason;

namespace Threadkeep.Interop;

/// <summary>Streams whose runs do not complete: each says how its run has ended.</summary>
public static class StreamEndChecks
{
    public static void AddTo(Checks checks, App app)
    {
        checks.Add("streams: a cancelled run says so, and its step and message too", () => CancelAsync(app));
        checks.Add("streams: a failed run says so, with the error", () => FailAsync(app));
        checks.Add("streams: an answer that breaks off fails its step and message too", () => BreakAsync(app));
        checks.Add("streams: an answer that is cut off is incomplete", () => IncompleteAsync(app));
        checks.Add("streams: a run that takes too long expires", () => ExpireAsync(app));
        checks.Add("streams: one whose instance stops throws, and the run goes on elsewhere", () => StopAsync(app));
    }

    private static async Task CancelAsync(App app)
    {
        var talk = await Conversation.StartAsync(app, Conversation.Slowly());
        var kinds = new List<StreamingUpdateReason>();
        var run = "";
        await foreach (var update in talk.StreamAsync())
        {
            kinds.Add(update.UpdateKind);
            if (update is RunUpdate { UpdateKind: RunCreated } created) run = created.Value.Id;
            if (update.UpdateKind == MessageUpdated && kinds.Count(kind => kind == MessageUpdated) == 3)
                await talk.Client.CancelRunAsync(talk.Thread.Id, run);
        }
        foreach (var kind in new[] { RunCancelling, MessageFailed, RunStepCancelled })
            Checks.That(kinds.Contains(kind), $"no {kind} in {string.Join(",", kinds)}");
        Checks.Equal(RunCancelled, kinds[^1], "last update");
    }

    private static async Task FailAsync(App app)
    {
        var talk = await Conversation.StartAsync(app, new { status = 400, error = new { message = "No, thanks." } });
        var updates = await talk.StreamAsync().ToListAsync();
        Checks.Equal(RunFailed, updates[^1].UpdateKind, "last update");
        Checks.Equal(RunErrorCode.InvalidPrompt, updates.OfType<RunUpdate>().Last().Value.LastError.Code, "code");
    }

    /// <summary>A client that has heard a part of an answer cannot be given another one.</summary>
    private static async Task BreakAsync(App app)
    {
        var talk = await Conversation.StartAsync(app, new { text = new[] { "Be", "cause" }, cutAfter = 1 });
        var updates = await talk.StreamAsync().ToListAsync();
        var kinds = updates.Select(update => update.UpdateKind).ToList();
        foreach (var kind in new[] { MessageFailed, RunStepFailed }) Checks.That(kinds.Contains(kind), $"no {kind}");
        Checks.Equal(RunFailed, kinds[^1], "last update");
        Checks.Equal("Be", ToolChecks.Text(updates), "text");
    }

    private static async Task IncompleteAsync(App app)
    {
        var talk = await Conversation.StartAsync(app, new { text = "Becau", finishReason = "length" });
        var updates = await talk.StreamAsync(new RunCreationOptions { MaxOutputTokenCount = 300 }).ToListAsync();
        Checks.Equal(RunIncomplete, updates[^1].UpdateKind, "last update");
        var run = updates.OfType<RunUpdate>().Last().Value;
        Checks.Equal(RunIncompleteReason.MaxOutputTokenCount, run.IncompleteDetails.Reason, "reason");
        Checks.That(updates.Any(update => update.UpdateKind == MessageFailed), "the message is not called incomplete");
    }

    private static async Task ExpireAsync(App app)
    {
        var client = Clients.Connect(app.At.Brief, app.NewKey());
        var talk = await Conversation.StartAsync(app, client, Conversation.Slowly());
        var kinds = await talk.StreamAsync().Select(update => update.UpdateKind).ToListAsync();
        foreach (var kind in new[] { MessageFailed, RunStepExpired })
            Checks.That(kinds.Contains(kind), $"no {kind} in {string.Join(",", kinds)}");
        Checks.Equal(RunExpired, kinds[^1], "last update");
    }

    /// <summary>The event `error` has no update in these libraries: they throw of it, whatever it says.</summary>
    private static async Task StopAsync(App app)
    {
        var key = app.NewKey();
        var talk = await Conversation.StartAsync(app, Clients.Connect(app.At.Stopping, key), Conversation.Slowly(120));
        var pieces = 0;
        await Checks.ThrowsAsync<Exception>(async () =>
        {
            await foreach (var update in talk.StreamAsync())
                if (update is MessageContentUpdate && ++pieces == 3) await app.StopInstanceAsync();
        });
        await talk.Model.SayAsync(new { text = "Because." });
        talk = talk with { Client = Clients.Connect(app.At.Main, key) };
        var run = await talk.SettledAsync(await talk.Client.GetRunsAsync(talk.Thread.Id).SingleAsync());
        Checks.Equal(RunStatus.Completed, run.Status, "status");
        Checks.Equal(2, await talk.Client.GetMessagesAsync(talk.Thread.Id).CountAsync(), "messages");
    }
}
