using System.ClientModel;
using OpenAI.Assistants;

namespace Threadkeep.Interop;

/// <summary>What the app refuses, as these libraries tell it: a status and a text.</summary>
public static class RefusalChecks
{
    private const string Nowhere = "abcdefghijklmnopqrstuvwx";

    public static void AddTo(Checks checks, App app)
    {
        checks.Add("404: each kind of object is named with its id", () => NotFoundAsync(app));
        checks.Add("400: a thread with an active run takes no second run and no message", () => ActiveRunAsync(app));
        checks.Add("400: outputs for other calls, or for a run that waits for none", () => OutputsAsync(app));
        checks.Add("400: a run that has ended cannot be cancelled", () => CancelAsync(app));
        checks.Add("400: values out of their range are named", () => RangesAsync(app));
        checks.Add("400: a cursor that does not exist", () => CursorAsync(app));
        checks.Add("400: a stream that is refused throws before its first update", () => StreamAsync(app));
        checks.Add("401: a wrong key, in the words of the service", () => WrongKeyAsync(app));
    }

    private static async Task RefusedAsync(Func<Task> call, int status, string text)
    {
        var error = await Checks.ThrowsAsync<ClientResultException>(call);
        Checks.Equal(status, error.Status, error.Message);
        Checks.That(error.Message.Contains(text), $"expected \"{text}\" in: {error.Message}");
    }

    private static async Task NotFoundAsync(App app)
    {
        var client = app.NewClient();
        AssistantThread thread = await client.CreateThreadAsync();
        Assistant assistant = await client.CreateAssistantAsync("gpt-4o");
        var (asst, other, msg) = ($"asst_{Nowhere}", $"thread_{Nowhere}", $"msg_{Nowhere}");
        var (run, step) = ($"run_{Nowhere}", $"step_{Nowhere}");
        var rename = new AssistantModificationOptions { Name = "x" };
        (Func<Task> Call, string Text)[] calls =
        [
            (() => client.GetAssistantAsync(asst), $"No assistant found with id '{asst}'."),
            (() => client.ModifyAssistantAsync(asst, rename), $"No assistant found with id '{asst}'."),
            (() => client.DeleteAssistantAsync(asst), $"No assistant found with id '{asst}'."),
            (() => client.GetThreadAsync(other), $"No thread found with id '{other}'."),
            (() => client.DeleteThreadAsync(other), $"No thread found with id '{other}'."),
            (() => client.CreateMessageAsync(other, MessageRole.User, ["Hi"]), $"No thread found with id '{other}'."),
            (() => client.GetMessageAsync(thread.Id, msg), $"No message found with id '{msg}'."),
            (() => client.GetRunAsync(thread.Id, run), $"No run found with id '{run}'."),
            (() => client.CancelRunAsync(thread.Id, run), $"No run found with id '{run}'."),
            (() => client.GetRunStepAsync(thread.Id, run, step), "found with id"),
            (() => client.CreateRunAsync(thread.Id, asst), $"No assistant found with id '{asst}'."),
            (() => client.CreateRunAsync(other, assistant.Id), $"No thread found with id '{other}'."),
        ];
        foreach (var (call, text) in calls) await RefusedAsync(call, 404, text);
    }

    private static async Task ActiveRunAsync(App app)
    {
        var talk = await Conversation.StartAsync(app, Conversation.CallWeather("Oslo"));
        var run = await talk.SettledAsync(await talk.RunAsync());
        var thread = talk.Thread.Id;
        await RefusedAsync(() => talk.RunAsync(), 400, $"Thread {thread} already has an active run {run.Id}.");
        await RefusedAsync(
            () => talk.Client.CreateMessageAsync(thread, MessageRole.User, ["And?"]),
            400,
            $"Can't add messages to {thread} while a run {run.Id} is active."
        );
    }

    private static async Task OutputsAsync(App app)
    {
        var talk = await Conversation.StartAsync(app, Conversation.CallWeather("Oslo"), new { text = "Sunny." });
        var run = await talk.SettledAsync(await talk.RunAsync());
        var (client, call) = (talk.Client, run.RequiredActions.Single().ToolCallId);
        Task SubmitAsync(params ToolOutput[] outputs) =>
            client.SubmitToolOutputsToRunAsync(run.ThreadId, run.Id, outputs);
        await RefusedAsync(() => SubmitAsync(), 400, $"Expected tool outputs for call_ids ['{call}'], got []");
        var wrong = $"Expected tool outputs for call_ids ['{call}'], got ['call_x']";
        await RefusedAsync(() => SubmitAsync(new ToolOutput("call_x", "sunny")), 400, wrong);
        await SubmitAsync(new ToolOutput(call, "sunny"));
        await talk.SettledAsync(await client.GetRunAsync(run.ThreadId, run.Id));
        var late = "Runs in status \"completed\" do not accept tool outputs.";
        await RefusedAsync(() => SubmitAsync(new ToolOutput(call, "sunny")), 400, late);
    }

    private static async Task CancelAsync(App app)
    {
        var talk = await Conversation.StartAsync(app, new { text = "Because." });
        var run = await talk.SettledAsync(await talk.RunAsync());
        var text = "Cannot cancel run with status 'completed'.";
        await RefusedAsync(() => talk.Client.CancelRunAsync(run.ThreadId, run.Id), 400, text);
    }

    private static async Task RangesAsync(App app)
    {
        var client = app.NewClient();
        Task CreateAsync(AssistantCreationOptions options) => client.CreateAssistantAsync("gpt-4o", options);
        await RefusedAsync(() => CreateAsync(new() { Temperature = 3 }), 400, "temperature");
        await RefusedAsync(() => CreateAsync(new() { NucleusSamplingFactor = -1 }), 400, "top_p");
        await RefusedAsync(() => CreateAsync(new() { Name = new string('x', 257) }), 400, "name");
        var metadata = new AssistantCreationOptions();
        for (var number = 0; number < 17; number++) metadata.Metadata[$"key{number}"] = "value";
        await RefusedAsync(() => CreateAsync(metadata), 400, "metadata");
        var list = new AssistantCollectionOptions { PageSizeLimit = 101 };
        await RefusedAsync(() => client.GetAssistantsAsync(list).CountAsync().AsTask(), 400, "limit");
    }

    private static async Task CursorAsync(App app)
    {
        var list = new AssistantCollectionOptions { AfterId = $"asst_{Nowhere}" };
        var client = app.NewClient();
        await RefusedAsync(() => client.GetAssistantsAsync(list).CountAsync().AsTask(), 400, "Invalid 'after'");
    }

    private static async Task StreamAsync(App app)
    {
        var talk = await Conversation.StartAsync(app, Conversation.CallWeather("Oslo"));
        var run = await talk.SettledAsync(await talk.RunAsync());
        var text = $"already has an active run {run.Id}";
        await RefusedAsync(() => talk.StreamAsync().CountAsync().AsTask(), 400, text);
    }

    private static async Task WrongKeyAsync(App app)
    {
        var client = Clients.Connect(app.At.Main, "a-key-that-is-not-known");
        await RefusedAsync(() => client.CreateThreadAsync(), 401, Clients.WrongKeyText);
        await RefusedAsync(() => client.GetAssistantsAsync().CountAsync().AsTask(), 401, Clients.WrongKeyText);
    }
}
