using System.Text.Json.Nodes;
using OpenAI.Assistants;

namespace Threadkeep.Interop;

/// <summary>A thread with one question in it, and an assistant whose model answers as it is told.</summary>
public sealed record Conversation(
    AssistantClient Client,
    ScriptedModel Model,
    Assistant Assistant,
    AssistantThread Thread
)
{
    public static readonly FunctionToolDefinition Weather = ToolDefinition.CreateFunction(
        "weather",
        "Tells the weather of a place.",
        BinaryData.FromString("""{"type":"object","properties":{"place":{"type":"string"}},"required":["place"]}""")
    );

    public static Task<Conversation> StartAsync(App app, params object[] turns) =>
        StartAsync(app, app.NewClient(), turns);

    public static async Task<Conversation> StartAsync(App app, AssistantClient client, params object[] turns)
    {
        var model = app.NewModel();
        await model.SayAsync(turns);
        Assistant assistant = await client.CreateAssistantAsync(
            model.Name,
            new AssistantCreationOptions { Instructions = "Be brief.", Tools = { Weather } }
        );
        AssistantThread thread = await client.CreateThreadAsync(
            new ThreadCreationOptions { InitialMessages = { new(MessageRole.User, ["Why?"]) } }
        );
        return new Conversation(client, model, assistant, thread);
    }

    /// <summary>What a model says that calls a function for each place.</summary>
    public static object CallWeather(params string[] places) =>
        new { toolCalls = places.Select(place => new { name = "weather", arguments = new { place } }) };

    /// <summary>Words that come slowly enough to do something in between.</summary>
    public static object Slowly(int words = 200) =>
        new { text = Enumerable.Range(0, words).Select(number => $"word{number} "), tokenMs = 50 };

    public async Task<ThreadRun> RunAsync(RunCreationOptions? options = null) =>
        await Client.CreateRunAsync(Thread.Id, Assistant.Id, options);

    public IAsyncEnumerable<StreamingUpdate> StreamAsync(RunCreationOptions? options = null) =>
        Clients.StreamAsync(Client, Thread.Id, Assistant.Id, options);

    /// <summary>The run when it has ended or waits for tool outputs.</summary>
    public async Task<ThreadRun> SettledAsync(ThreadRun run)
    {
        while (!run.Status.IsTerminal && run.Status != RunStatus.RequiresAction)
        {
            await Task.Delay(30);
            run = await Client.GetRunAsync(run.ThreadId, run.Id);
        }
        return run;
    }

    /// <summary>The texts of the thread, the newest first.</summary>
    public async Task<List<string>> TextsAsync() =>
        await Client.GetMessagesAsync(Thread.Id).Select(TextOf).ToListAsync();

    private static string TextOf(ThreadMessage message) => string.Concat(message.Content.Select(part => part.Text));

    /// <summary>An output for each function that the run waits for: "sunny in PLACE".</summary>
    public static List<ToolOutput> OutputsFor(IEnumerable<(string Id, string Arguments)> calls) =>
        [.. calls.Select(call => new ToolOutput(call.Id, $"sunny in {JsonNode.Parse(call.Arguments)?["place"]}"))];

    public static List<ToolOutput> OutputsFor(ThreadRun run) =>
        OutputsFor(run.RequiredActions.Select(action => (action.ToolCallId, action.FunctionArguments)));
}
