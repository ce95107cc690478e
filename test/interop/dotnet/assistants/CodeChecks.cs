using OpenAI.Assistants;

namespace Threadkeep.Interop;

/// <summary>Runs whose model runs code.</summary>
public static class CodeChecks
{
    private const string Pixel =
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

    private const string Code =
        $"""
        import base64
        class Figure:
            def _repr_png_(self):
                return base64.b64decode("{Pixel}")
        open("o.csv", "w").write("1,2")
        print("drawn")
        Figure()
        """;

    private const string Link = "sandbox:/mnt/data/o.csv";

    public static void AddTo(Checks checks, App app)
    {
        checks.Add("code: a step shows code, logs and image; a message the image, and a link to a file", () => PolledAsync(app));
        checks.Add("code: is streamed piece by piece, then its outputs", () => StreamedAsync(app));
        checks.Add("code: a file for it is the thread's, and is read", () => FileAsync(app));
    }

    private static object Python(string code) =>
        new { toolCalls = new[] { new { name = "python", arguments = new { code } } } };

    private static async Task<Conversation> StartAsync(App app, params object[] turns)
    {
        var talk = await Conversation.StartAsync(app, turns);
        Assistant assistant = await talk.Client.ModifyAssistantAsync(
            talk.Assistant.Id,
            new AssistantModificationOptions { DefaultTools = { ToolDefinition.CreateCodeInterpreter() } }
        );
        Checks.That(assistant.Tools.Single() is CodeInterpreterToolDefinition, "another tool");
        return talk;
    }

    private static async Task PolledAsync(App app)
    {
        var talk = await StartAsync(app, Python(Code), new { text = $"[File]({Link})." });
        var run = await talk.SettledAsync(await talk.RunAsync());
        Checks.Equal(RunStatus.Completed, run.Status, "status");
        var steps = await talk.Client.GetRunStepsAsync(talk.Thread.Id, run.Id).ToListAsync();
        Checks.Same([RunStepKind.CreatedMessage, RunStepKind.ToolCall], steps.Select(step => step.Kind), "steps");
        var call = steps[1].Details.ToolCalls.Single();
        Checks.Equal(Code, call.CodeInterpreterInput, "code");
        Checks.Equal(2, call.CodeInterpreterOutputs.Count, "outputs");
        Checks.That(call.CodeInterpreterOutputs[0].Logs.StartsWith("drawn\n"), call.CodeInterpreterOutputs[0].Logs);
        var message = (await talk.Client.GetMessagesAsync(talk.Thread.Id).ToListAsync())[0];
        Checks.Equal(call.CodeInterpreterOutputs[1].ImageFileId, message.Content[0].ImageFileId, "image");
        var annotation = message.Content[1].TextAnnotations.Single();
        Checks.Equal((Link, 7, 7 + Link.Length), (annotation.TextToReplace, annotation.StartIndex, annotation.EndIndex), "link");
        Checks.Equal(annotation.OutputFileId, message.Attachments.Single().FileId, "attachment");
        await talk.Client.DeleteThreadAsync(talk.Thread.Id);
    }

    private static async Task StreamedAsync(App app)
    {
        var talk = await StartAsync(app, Python(Code), new { text = new[] { "See ", $"[it]({Link})" } });
        var updates = await talk.StreamAsync().ToListAsync();
        var details = updates.OfType<RunStepDetailsUpdate>().ToList();
        Checks.Equal(Code, string.Concat(details.Select(update => update.CodeInterpreterInput)), "code");
        var outputs = details.SelectMany(update => update.CodeInterpreterOutputs ?? []).ToList();
        Checks.Same([0, 1], outputs.Select(output => output.OutputIndex), "outputs");
        Checks.That(outputs[0].Logs.StartsWith("drawn\n"), outputs[0].Logs);
        var contents = updates.OfType<MessageContentUpdate>().ToList();
        Checks.Equal((0, outputs[1].ImageFileId), (contents[0].MessageIndex, contents[0].ImageFileId), "image");
        Checks.Same([1], contents.Where(update => update.Text?.Length > 0).Select(update => update.MessageIndex).Distinct(), "place of the text");
        var annotation = contents.Select(update => update.TextAnnotation).Single(each => each != null);
        Checks.Equal(Link, annotation.TextToReplace, "link");
        await talk.Client.DeleteThreadAsync(talk.Thread.Id);
    }

    private static async Task FileAsync(App app)
    {
        var (client, file) = await app.NewClientWithFileAsync("notes.txt");
        var model = app.NewModel();
        await model.SayAsync(Python($"open('/mnt/data/{file}').read()"), new { text = "Read." });
        var creation = new AssistantCreationOptions { Tools = { ToolDefinition.CreateCodeInterpreter() } };
        Assistant assistant = await client.CreateAssistantAsync(model.Name, creation);
        AssistantThread thread = await client.CreateThreadAsync();
        var attachment = new MessageCreationAttachment(file, [ToolDefinition.CreateCodeInterpreter()]);
        await client.CreateMessageAsync(
            thread.Id,
            MessageRole.User,
            ["Read it."],
            new MessageCreationOptions { Attachments = [attachment] }
        );
        thread = await client.GetThreadAsync(thread.Id);
        Checks.Same([file], thread.ToolResources.CodeInterpreter.FileIds, "files of the thread");
        ThreadRun run = await client.CreateRunAsync(thread.Id, assistant.Id);
        while (!run.Status.IsTerminal)
        {
            await Task.Delay(30);
            run = await client.GetRunAsync(run.ThreadId, run.Id);
        }
        var steps = await client.GetRunStepsAsync(thread.Id, run.Id).ToListAsync();
        Checks.Equal("'Hello'", steps[^1].Details.ToolCalls.Single().CodeInterpreterOutputs.Single().Logs, "logs");
        await client.DeleteThreadAsync(thread.Id);
    }
}
