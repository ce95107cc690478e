using OpenAI.Assistants;
using OpenAI.Files;

namespace Threadkeep.Interop;

/// <summary>Files that are uploaded, put into a vector store as a batch, searched by a run and cited.</summary>
public static class SearchChecks
{
    private const string Marker = "【4:0†foods.txt】";
    private const string Answer = $"Filip likes cake{Marker}.";

    public static void AddTo(Checks checks, App app)
    {
        checks.Add("search: a batch of uploaded files is polled until it is complete", () => BatchAsync(app));
        checks.Add("search: a polled run searches and cites the file", () => PolledAsync(app));
        checks.Add("search: a streamed run searches and cites the file", () => StreamedAsync(app));
    }

    private sealed record Scene(AssistantClient Client, string FileId, Assistant Assistant, AssistantThread Thread);

    private static async Task<string> UploadAsync(OpenAIFileClient files, string text, string name)
    {
        OpenAIFile file = await files.UploadFileAsync(BinaryData.FromString(text), name, FileUploadPurpose.Assistants);
        return file.Id;
    }

    private static async Task BatchAsync(App app)
    {
        var (files, stores) = Clients.ConnectFiles(app.At.Main, app.NewKey());
        var foods = await UploadAsync(files, "Filip: cake", "foods.txt");
        var blank = await UploadAsync(files, "  ", "blank.txt");
        var (_, completed, failed) = await Clients.StoreOfAsync(stores, [foods, blank]);
        Checks.Equal((1, 1), (completed, failed), "completed and failed files");
        var content = await files.DownloadFileAsync(foods);
        Checks.Equal("Filip: cake", content.Value.ToString(), "content");
    }

    private static async Task<Scene> StartAsync(App app)
    {
        var key = app.NewKey();
        var client = Clients.Connect(app.At.Main, key);
        var (files, stores) = Clients.ConnectFiles(app.At.Main, key);
        var file = await UploadAsync(files, "Summanus: tacos\nFilip: cake", "foods.txt");
        var (store, _, _) = await Clients.StoreOfAsync(stores, [file]);
        var model = app.NewModel();
        var search = new { name = "file_search", arguments = new { queries = new[] { "What does Filip like?" } } };
        await model.SayAsync(new { toolCalls = new[] { search } }, new { text = Answer });
        Assistant assistant = await client.CreateAssistantAsync(
            model.Name,
            new AssistantCreationOptions
            {
                Tools = { ToolDefinition.CreateFileSearch() },
                ToolResources = new() { FileSearch = new() { VectorStoreIds = { store } } },
            }
        );
        AssistantThread thread = await client.CreateThreadAsync(
            new ThreadCreationOptions { InitialMessages = { new(MessageRole.User, ["What does Filip like?"]) } }
        );
        return new Scene(client, file, assistant, thread);
    }

    private static async Task PolledAsync(App app)
    {
        var (client, file, assistant, thread) = await StartAsync(app);
        ThreadRun run = await client.CreateRunAsync(thread.Id, assistant.Id);
        while (!run.Status.IsTerminal)
        {
            await Task.Delay(30);
            run = await client.GetRunAsync(thread.Id, run.Id);
        }
        Checks.Equal(RunStatus.Completed, run.Status, "status");
        var messages = await client.GetMessagesAsync(thread.Id).ToListAsync();
        var content = messages[0].Content.Single();
        Checks.Equal(Answer, content.Text, "text");
        var citation = content.TextAnnotations.Single();
        Checks.Equal((Marker, file), (citation.TextToReplace, citation.InputFileId), "citation");
        Checks.Equal(Answer.IndexOf(Marker, StringComparison.Ordinal), citation.StartIndex, "place");
        var steps = await client.GetRunStepsAsync(thread.Id, run.Id).ToListAsync();
        Checks.Same([RunStepKind.CreatedMessage, RunStepKind.ToolCall], steps.Select(step => step.Kind), "steps");
    }

    private static async Task StreamedAsync(App app)
    {
        var (client, file, assistant, thread) = await StartAsync(app);
        var updates = await Clients.StreamAsync(client, thread.Id, assistant.Id).ToListAsync();
        Checks.Equal(Answer, ToolChecks.Text(updates), "text");
        var contents = updates.OfType<MessageContentUpdate>();
        var citation = contents.Select(update => update.TextAnnotation).OfType<TextAnnotationUpdate>().Single();
        Checks.Equal((Marker, file), (citation.TextToReplace, citation.InputFileId), "citation");
        Checks.Equal(StreamingUpdateReason.RunCompleted, updates[^1].UpdateKind, "last update");
    }
}
