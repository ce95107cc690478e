using System.Net.Http.Json;
using System.Text.Json;
using OpenAI.Assistants;

namespace Threadkeep.Interop;

/// <summary>The local stack: the app, instances of it with other settings, and what controls them.</summary>
/// <param name="Brief">An instance whose runs expire after a few seconds.</param>
/// <param name="Stopping">An instance that ends when `POST /stop` is sent to `Control`.</param>
/// <param name="Keys">What the keys of the tenants begin with; a number follows.</param>
public sealed record Addresses(Uri Main, Uri Brief, Uri Stopping, Uri Model, Uri Control, string Keys)
{
    public static Addresses Parse(string json) =>
        JsonSerializer.Deserialize<Addresses>(json, JsonSerializerOptions.Web)
        ?? throw new ArgumentException("There are no addresses.");
}

public sealed class App(Addresses addresses)
{
    private static readonly HttpClient Http = new();
    private int _tenants;

    public Addresses At => addresses;

    /// <summary>Each check has a tenant of its own.</summary>
    public string NewKey() => $"{addresses.Keys}{Interlocked.Increment(ref _tenants)}";

    public AssistantClient NewClient() => Clients.Connect(addresses.Main, NewKey());

    /// <summary>A client, and a file that its tenant has sent: in the form that .NET makes.</summary>
    public async Task<(AssistantClient Client, string FileId)> NewClientWithFileAsync(string name)
    {
        var key = NewKey();
        using var form = new MultipartFormDataContent
        {
            { new StringContent("assistants"), "purpose" },
            { new StringContent("Hello"), "file", name },
        };
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(addresses.Main, "/v1/files"));
        request.Headers.Authorization = new("Bearer", key);
        request.Content = form;
        using var response = await Http.SendAsync(request);
        response.EnsureSuccessStatusCode();
        var file = await response.Content.ReadFromJsonAsync<JsonElement>();
        return (Clients.Connect(addresses.Main, key), file.GetProperty("id").GetString() ?? "");
    }

    public ScriptedModel NewModel() => new(Http, addresses.Model);

    /// <summary>Ends the instance as the platform does; resolves when it has begun.</summary>
    public async Task StopInstanceAsync()
    {
        var response = await Http.PostAsync(new Uri(addresses.Control, "/stop"), null);
        response.EnsureSuccessStatusCode();
    }
}

/// <summary>A simulated model that no other check uses: what it says next, and what it was asked.</summary>
public sealed class ScriptedModel(HttpClient http, Uri server)
{
    public string Name { get; } = $"model-{Guid.NewGuid()}";

    private Uri Address => new(server, $"/_local/models/{Name}");

    public async Task SayAsync(params object[] turns)
    {
        var response = await http.PutAsJsonAsync(Address, new { turns });
        response.EnsureSuccessStatusCode();
    }

    /// <summary>The bodies of the requests to the model.</summary>
    public async Task<List<JsonElement>> RequestsAsync()
    {
        var report = await http.GetFromJsonAsync<JsonElement>(Address);
        return [.. report.GetProperty("requests").EnumerateArray().Select(request => request.GetProperty("body"))];
    }
}
